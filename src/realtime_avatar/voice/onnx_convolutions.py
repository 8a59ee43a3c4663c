"""Integer convolutions of an ONNX model as matrix products, without the onnx package.

ONNX Runtime gives `ConvInteger` the weights as the left factor of its products, where its
kernels cannot use the processor's 8-bit dot products (VNNI), and unfolds the input on one
thread. The same sums as `MatMulInteger`, with signed weights on the right, take about two
thirds of the time, and the results are equal to the last bit. Older x86 processors add two
such products in 16 bits, where they fit if the weights have 7 bits. Those of an output channel
that have more lose the last one there, and its sums are doubled: 3 weights in 1,000 of Kokoro's.

Numbers of fields are those of onnx.proto.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.voice.protobuf import Value, field, fields, integers, text

_UINT8, _INT8, _INT32, _INT64 = 2, 3, 6, 7  # TensorProto.DataType
_HALF: Final = 64  # 2 * 64 * 255 just fits into 16 bits
_WORTH: Final = 64  # input channels times taps: smaller products do not gain

_Constant = NDArray[np.int8] | NDArray[np.int32] | NDArray[np.int64]


def has_dot_products() -> bool:
    """Return whether the processor is known to multiply and add 8-bit integers in 32 bits."""
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False


def with_products(model: bytes, *, dot_products: bool) -> bytes:
    """Return the model with `MatMulInteger` for every `ConvInteger` that gains by it.

    Replaced are convolutions over one axis, of one group and stride 1, with uint8 weights
    that lie within a signed byte of their zero.

    Args:
        model: A serialised ModelProto; parts that protobuf would merge may follow it.
        dot_products: Whether the processor sums products of bytes in 32 bits.
    """
    parts = list(fields(memoryview(model)))
    graphs = [value for number, value in parts if number == 7 and isinstance(value, memoryview)]
    rest = [field(number, value) for number, value in parts if number != 7]
    return b"".join([*rest, field(7, _graph(memoryview(b"".join(graphs)), dot_products))])


@dataclass(frozen=True, slots=True)
class _Convolution:
    inputs: list[str]
    output: str
    dilation: int
    pads: list[int]


def _graph(graph: memoryview, dot_products: bool) -> bytes:
    parts = list(fields(graph))
    tensors: dict[str, memoryview] = {}
    for number, value in parts:
        if number == 5 and isinstance(value, memoryview):
            name = next(item for at, item in fields(value) if at == 8)
            tensors[text(name)] = value
    new: list[bytes] = []
    for number, value in parts:
        found = _convolution(value) if number == 1 and isinstance(value, memoryview) else None
        new.append((found and _product(found, tensors, dot_products)) or field(number, value))
    return b"".join(new)


def _convolution(node: memoryview) -> _Convolution | None:
    inputs: list[str] = []
    outputs: list[str] = []
    kind = ""
    attributes: dict[str, list[int]] = {}
    for number, value in fields(node):
        match number:
            case 1:
                inputs.append(text(value))
            case 2:
                outputs.append(text(value))
            case 4:
                kind = text(value)
                if kind != "ConvInteger":
                    return None
            case 5:
                name, values = _attribute(value)
                attributes[name] = values
            case _:
                pass
    alike = attributes.get("group", [1]) == [1] and attributes.get("strides", [1]) == [1]
    if kind != "ConvInteger" or len(inputs) != 4 or not alike:
        return None
    dilation = attributes.get("dilations", [1])
    return _Convolution(inputs, outputs[0], dilation[0], attributes.get("pads", [0, 0]))


def _product(
    found: _Convolution, tensors: dict[str, memoryview], dot_products: bool
) -> bytes | None:
    """Return the nodes and weights for a convolution; None if it does not gain."""
    x, weights, zero, weights_zero = found.inputs
    if weights not in tensors or weights_zero not in tensors:
        return None
    w, z = _array(tensors[weights]), _array(tensors[weights_zero])
    if w is None or z is None or w.ndim != 3 or prod(w.shape[1:]) < _WORTH or z.size != 1:
        return None
    taps = w.shape[2]
    matrix = w.transpose(2, 1, 0).reshape(-1, w.shape[0]).astype(np.int32) - int(z.item())
    if matrix.min() < -128 or matrix.max() > 127:
        return None
    wide = np.abs(matrix).max(axis=0) > _HALF
    halved = not dot_products and bool(wide.any())
    if halved:
        matrix = np.where(wide, np.rint(matrix / 2), matrix)
    own = found.output + "/product/"
    constants: dict[str, _Constant] = {
        "w": matrix.astype(np.int8),
        "pads": np.array([0, found.pads[0], 0, 0, found.pads[1], 0], np.int64),
        "axis": np.array([1], np.int64),
    }
    rows, nodes = own + "rows", list[bytes]()
    nodes.append(_node("Transpose", [x], own + "rows", perm=[0, 2, 1]))
    if taps > 1:
        nodes.append(_node("Pad", [rows, own + "pads", zero], own + "padded"))
        shifted: list[str] = []
        for tap in range(taps):
            begin = tap * found.dilation
            end = begin - (taps - 1) * found.dilation
            constants[f"from{tap}"] = np.array([begin], np.int64)
            constants[f"to{tap}"] = np.array([end or np.iinfo(np.int64).max], np.int64)
            bounds = [own + f"from{tap}", own + f"to{tap}", own + "axis"]
            nodes.append(_node("Slice", [own + "padded", *bounds], own + f"tap{tap}"))
            shifted.append(own + f"tap{tap}")
        rows = own + "taps"
        nodes.append(_node("Concat", shifted, rows, axis=2))
    sums = own + "sums"
    nodes.append(_node("MatMulInteger", [rows, own + "w", zero], sums))
    if halved:
        constants["units"] = np.where(wide, 2, 1).astype(np.int32)
        nodes.append(_node("Mul", [sums, own + "units"], own + "whole"))
        sums = own + "whole"
    nodes.append(_node("Transpose", [sums], found.output, perm=[0, 2, 1]))
    return b"".join(
        [field(1, node) for node in nodes]
        + [field(5, _tensor(own + name, array)) for name, array in constants.items()]
    )


def _array(tensor: memoryview) -> NDArray[np.uint8] | None:
    """Return a tensor of uint8; None if it is of another type."""
    shape: list[int] = []
    data: bytes | memoryview = b""
    for number, value in fields(tensor):
        if number == 1:
            shape += integers(value)
        elif number == 2 and value != _UINT8:
            return None
        elif number == 5:  # int32_data
            data = bytes(integers(value))
        elif number == 9 and isinstance(value, memoryview):  # raw_data
            data = value
    return np.frombuffer(data, np.uint8).reshape(shape) if len(data) == prod(shape) else None


def _tensor(name: str, array: _Constant) -> bytes:
    kind = {1: _INT8, 4: _INT32, 8: _INT64}[array.itemsize]
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, kind) + field(8, name.encode()) + field(9, array.tobytes())


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: int | list[int]) -> bytes:
    parts = [field(1, name.encode()) for name in inputs]
    parts += [field(2, output.encode()), field(3, output.encode()), field(4, kind.encode())]
    for name, value in attributes.items():
        # AttributeProto: name 1, i 3, ints 8, type 20 (INT 2, INTS 7).
        if isinstance(value, int):
            told = field(3, value) + field(20, 2)
        else:
            told = b"".join(field(8, item) for item in value) + field(20, 7)
        parts.append(field(5, field(1, name.encode()) + told))
    return b"".join(parts)


def _attribute(attribute: Value) -> tuple[str, list[int]]:
    name, values = "", list[int]()
    for number, value in fields(attribute):
        if number == 1:
            name = text(value)
        elif number in (3, 8):
            values += integers(value)
    return name, values
