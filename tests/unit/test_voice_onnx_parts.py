from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.voice.onnx_parts import FLOAT, Model
from realtime_avatar.voice.protobuf import field


def node(kind: str, inputs: list[str], output: str) -> bytes:
    told = b"".join(field(1, name.encode()) for name in inputs)
    return field(1, told + field(2, output.encode()) + field(4, kind.encode()))


def value(name: str) -> bytes:
    shape = field(2, field(1, field(2, b"n")))
    return field(1, name.encode()) + field(2, field(1, field(1, FLOAT) + shape))


def tensor(name: str, number: float) -> bytes:
    data = np.array([number], np.float32).tobytes()
    return field(5, field(1, 1) + field(2, FLOAT) + field(8, name.encode()) + field(9, data))


@pytest.fixture
def model() -> bytes:
    """Return y = (x + 2) * 3 + w."""
    graph = node("Add", ["x", "two"], "more") + node("Mul", ["more", "three"], "much")
    graph += node("Add", ["much", "w"], "y") + field(2, b"graph")
    graph += tensor("two", 2) + tensor("three", 3)
    graph += field(11, value("x")) + field(11, value("w")) + field(12, value("y"))
    return field(1, 9) + field(7, graph) + field(8, field(2, 20))


def computed(data: bytes, **inputs: float) -> list[float]:
    given = {name: np.array([number], np.float32) for name, number in inputs.items()}
    found = cast("list[NDArray[Any]]", onnx_session(data).run(None, given))
    return [float(array.item()) for array in found]


def test_parts_of_a_model_do_what_it_does(model: bytes) -> None:
    read = Model(model)
    (much,) = computed(read.part(["x"], ["much"]), x=5)
    assert computed(read.part(["much", "w"], ["y"]), much=much, w=1) == computed(model, x=5, w=1)
    assert computed(read.part(["x"], ["much", "more"]), x=5) == [21, 7]


def test_a_part_says_what_it_needs(model: bytes) -> None:
    with pytest.raises(ValueError, match="needs w"):
        Model(model).part(["x"], ["y"])


def test_what_a_model_is_made_of(model: bytes) -> None:
    read = Model(model)
    assert (read.inputs, read.outputs) == (["x", "w"], ["y"])
    assert read.makers["much"].kind == "Mul"
    assert read.array(read.makers["much"].inputs[1]) == 3
    with pytest.raises(KeyError):
        read.array("x")


def test_another_node_with_another_weight(model: bytes) -> None:
    read = Model(model)
    nodes = [one.message for one in read.nodes[:2]]
    last = node("Add", ["much", "ten"], "y")[2:]
    ten = tensor("ten", 10)[2:]
    assert computed(read.with_nodes([*nodes, last], [ten]), x=5, w=0) == [31]
