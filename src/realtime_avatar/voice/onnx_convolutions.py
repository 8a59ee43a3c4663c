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

from realtime_avatar.voice.onnx_parts import Bytes, Model, Node
from realtime_avatar.voice.protobuf import field

_INT8, _INT32, _INT64 = 3, 6, 7  # TensorProto.DataType
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
    read = Model(model)
    nodes, tensors = list[Bytes](), list[Bytes]()
    for node in read.nodes:
        found = _product(node, read, dot_products)
        if found is None:
            nodes.append(node.message)
        else:
            nodes += found.nodes
            tensors += found.tensors
    return read.with_nodes(nodes, tensors)


@dataclass(frozen=True, slots=True)
class _Product:
    nodes: list[bytes]
    tensors: list[bytes]


def _product(node: Node, model: Model, dot_products: bool) -> _Product | None:
    """Return the nodes and weights for a convolution; None if it does not gain."""
    attributes = node.attributes
    alike = attributes.get("group", [1]) == [1] and attributes.get("strides", [1]) == [1]
    if node.kind != "ConvInteger" or len(node.inputs) != 4 or not alike:
        return None
    x, weights, zero, weights_zero = node.inputs
    try:
        w, z = model.array(weights), model.array(weights_zero)
    except KeyError:
        return None
    if w.dtype != np.uint8 or w.ndim != 3 or prod(w.shape[1:]) < _WORTH or z.size != 1:
        return None
    dilation, pads = attributes.get("dilations", [1])[0], attributes.get("pads", [0, 0])
    (output,) = node.outputs
    taps = w.shape[2]
    matrix = w.transpose(2, 1, 0).reshape(-1, w.shape[0]).astype(np.int32) - int(z.item())
    if matrix.min() < -128 or matrix.max() > 127:
        return None
    whole, units = narrowed(matrix, dot_products=dot_products)
    own = output + "/product/"
    constants: dict[str, _Constant] = {
        "w": whole,
        "pads": np.array([0, pads[0], 0, 0, pads[1], 0], np.int64),
        "axis": np.array([1], np.int64),
    }
    rows, nodes = own + "rows", list[bytes]()
    nodes.append(_node("Transpose", [x], own + "rows", perm=[0, 2, 1]))
    if taps > 1:
        nodes.append(_node("Pad", [rows, own + "pads", zero], own + "padded"))
        shifted: list[str] = []
        for tap in range(taps):
            begin = tap * dilation
            end = begin - (taps - 1) * dilation
            constants[f"from{tap}"] = np.array([begin], np.int64)
            constants[f"to{tap}"] = np.array([end or np.iinfo(np.int64).max], np.int64)
            bounds = [own + f"from{tap}", own + f"to{tap}", own + "axis"]
            nodes.append(_node("Slice", [own + "padded", *bounds], own + f"tap{tap}"))
            shifted.append(own + f"tap{tap}")
        rows = own + "taps"
        nodes.append(_node("Concat", shifted, rows, axis=2))
    sums = own + "sums"
    nodes.append(_node("MatMulInteger", [rows, own + "w", zero], sums))
    if units.max() > 1:
        constants["units"] = units
        nodes.append(_node("Mul", [sums, own + "units"], own + "whole"))
        sums = own + "whole"
    nodes.append(_node("Transpose", [sums], output, perm=[0, 2, 1]))
    return _Product(nodes, [_tensor(own + name, array) for name, array in constants.items()])


def narrowed(
    weights: NDArray[np.int32], *, dot_products: bool
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Return weights that can be multiplied, and what their units are worth.

    Args:
        weights: [..., channels out], from -128 to 127.
        dot_products: Whether the processor sums products of bytes in 32 bits; else they have 7
            bits and a sign then.

    Returns:
        Weights of the same shape; 1 or 2, [channels out].
    """
    others = tuple(range(weights.ndim - 1))
    wide = (np.abs(weights).max(axis=others) > _HALF) & (not dot_products)
    halved = np.where(wide, np.rint(weights / 2), weights)
    return halved.astype(np.int8), np.where(wide, 2, 1).astype(np.int32)


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
