"""Parts of an ONNX model, and its weights, without the onnx package.

Numbers of fields are those of onnx.proto.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.voice.protobuf import Value, field, fields, integers, text

FLOAT: Final = 1  # TensorProto.DataType
Bytes = bytes | memoryview
_TYPES: Final = {FLOAT: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}


@dataclass(frozen=True, slots=True)
class Node:
    """An operation.

    Attributes:
        kind: Its operator's name.
        inputs: Names of tensors; empty: one that is left out.
        outputs: Names of tensors.
        attributes: Integers, by name; none of those that are something else.
        message: As it stands in the model.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, list[int]]
    message: memoryview


class Model:
    """A model, read.

    Args:
        data: A serialised ModelProto; parts that protobuf would merge may follow it.

    Attributes:
        inputs: Names.
        outputs: Names.
        nodes: All, in the order in which they are computed.
        makers: The node that makes a tensor, by its name.
    """

    def __init__(self, data: bytes) -> None:
        self._rest: list[tuple[int, Value]] = []
        graphs: list[memoryview] = []
        for number, value in fields(memoryview(data)):
            if number == 7 and isinstance(value, memoryview):
                graphs.append(value)
            else:
                self._rest.append((number, value))
        self._others: list[tuple[int, Value]] = []
        self._tensors: dict[str, memoryview] = {}
        self._values: dict[str, memoryview] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.nodes: list[Node] = []
        for graph in graphs:
            for number, value in fields(graph):
                self._add(number, value)
        self.makers = {name: node for node in self.nodes for name in node.outputs}

    def _add(self, number: int, value: Value) -> None:
        if not isinstance(value, memoryview):
            self._others.append((number, value))
        elif number == 1:
            self.nodes.append(_node(value))
        elif number == 5:
            self._tensors[_named(value, 8)] = value
        elif number in (11, 12):
            name = _named(value, 1)
            self._values[name] = value
            (self.inputs if number == 11 else self.outputs).append(name)
        elif number != 13:  # shapes of inner tensors: not needed
            self._others.append((number, value))

    def array(self, name: str) -> NDArray[np.generic]:
        """Return a weight.

        Raises:
            KeyError: if there is none of that name, or of its type.
        """
        shape: list[int] = []
        kind, data = FLOAT, memoryview(b"")
        few: list[int] = []
        for number, value in fields(self._tensors[name]):
            match number:
                case 1:
                    shape += integers(value)
                case 2:
                    kind = integers(value)[0]
                case 5 | 7:  # int32_data, int64_data
                    few += integers(value)
                case 4 | 9 if isinstance(value, memoryview):  # float_data, raw_data
                    data = value
                case _:
                    pass
        held = np.array(few, _TYPES[kind]) if few else np.frombuffer(data, _TYPES[kind])
        return held.reshape(shape)

    def part(self, inputs: Iterable[str], outputs: Iterable[str]) -> bytes:
        """Return the model of what lies between some of its tensors.

        Args:
            inputs: The model's own, or inner tensors of float32.
            outputs: The model's own, or inner tensors of float32.

        Raises:
            ValueError: if the outputs need another input.
        """
        given, wanted = list(inputs), list(outputs)
        kept: list[Node] = []
        needed, known = set(wanted) - set(given), set(given)
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(name for name in node.inputs if name not in known)
        kept.reverse()
        made = {name for node in kept for name in node.outputs}
        missing = needed - made - set(self._tensors) - {""}
        if missing:
            raise ValueError(f"the part needs {', '.join(sorted(missing))}")
        tensors = [self._tensors[name] for name in self._tensors if name in needed]
        return self._built([node.message for node in kept], tensors, given, wanted)

    def with_nodes(self, nodes: Iterable[Bytes], tensors: Iterable[Bytes]) -> bytes:
        """Return the model with other nodes.

        Args:
            nodes: All of them, in an order in which they can be computed.
            tensors: Weights that are added.
        """
        return self._built(nodes, [*self._tensors.values(), *tensors], self.inputs, self.outputs)

    def _built(
        self,
        nodes: Iterable[Bytes],
        tensors: Iterable[Bytes],
        inputs: Iterable[str],
        outputs: Iterable[str],
    ) -> bytes:
        graph = [field(number, value) for number, value in self._others]
        graph += [field(1, node) for node in nodes]
        graph += [field(5, tensor) for tensor in tensors]
        graph += [field(11, self._value(name)) for name in inputs]
        graph += [field(12, self._value(name)) for name in outputs]
        rest = [field(number, value) for number, value in self._rest]
        return b"".join([*rest, field(7, b"".join(graph))])

    def _value(self, name: str) -> bytes | memoryview:
        if name in self._values:
            return self._values[name]
        return field(1, name.encode()) + field(2, field(1, field(1, FLOAT)))


def _node(message: memoryview) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    kind = ""
    attributes: dict[str, list[int]] = {}
    for number, value in fields(message):
        match number:
            case 1:
                inputs.append(text(value))
            case 2:
                outputs.append(text(value))
            case 4:
                kind = text(value)
            case 5:
                name, values = _attribute(value)
                attributes[name] = values
            case _:
                pass
    return Node(kind, tuple(inputs), tuple(outputs), attributes, message)


def _attribute(attribute: Value) -> tuple[str, list[int]]:
    name, values = "", list[int]()
    for number, value in fields(attribute):
        if number == 1:
            name = text(value)
        elif number in (3, 8):
            values += integers(value)
    return name, values


def _named(message: memoryview, number: int) -> str:
    return next(text(value) for at, value in fields(message) if at == number)
