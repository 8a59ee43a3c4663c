from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.voice.onnx_convolutions import has_dot_products, with_products
from realtime_avatar.voice.protobuf import field, fields, integers, text

DOT_PRODUCTS = pytest.mark.skipif(
    not has_dot_products(), reason="sums of 8-bit products would overflow on this processor"
)


def model(weights: NDArray[np.uint8], zero: int, dilation: int, stride: int = 1) -> bytes:
    """Return an ONNX model y = ConvInteger(x, weights) with padding that keeps the length."""
    taps = weights.shape[2]
    pad = dilation * (taps - 1) // 2

    def tensor(name: str, array: NDArray[np.uint8], *data: bytes) -> bytes:
        dims = b"".join(field(1, size) for size in array.shape)
        return field(5, dims + field(2, 2) + field(8, name.encode()) + b"".join(data))

    def attribute(name: str, values: list[int]) -> bytes:
        told = b"".join(field(8, value) for value in values)
        return field(5, field(1, name.encode()) + told + field(20, 7))

    def value(name: str, kind: int, *sizes: str | int) -> bytes:
        dims = (field(1, s) if isinstance(s, int) else field(2, s.encode()) for s in sizes)
        shape = field(2, b"".join(field(1, dim) for dim in dims))
        return field(1, name.encode()) + field(2, field(1, field(1, kind) + shape))

    node = b"".join(field(1, name.encode()) for name in ("x", "w", "xz", "wz"))
    node += field(2, b"y") + field(4, b"ConvInteger")
    node += attribute("dilations", [dilation]) + attribute("pads", [pad, pad])
    node += attribute("strides", [stride])
    inputs = (value("x", 2, 1, weights.shape[1], "time"), value("xz", 2))
    graph = field(1, node) + field(2, b"graph")
    graph += tensor("w", weights, field(9, weights.tobytes()))
    graph += tensor("wz", np.array(zero, np.uint8), field(9, bytes([zero])))
    graph += b"".join(field(11, item) for item in inputs) + field(12, value("y", 6, 1, "c", "t"))
    return field(1, 9) + field(7, graph) + field(8, field(2, 20))


def kinds(onnx: bytes) -> list[str]:
    (graph,) = (value for number, value in fields(memoryview(onnx)) if number == 7)
    nodes = [value for number, value in fields(graph) if number == 1]
    return [text(kind) for node in nodes for number, kind in fields(node) if number == 4]


def convolved(onnx: bytes, x: NDArray[np.uint8], zero: int) -> NDArray[np.int32]:
    given = {"x": x, "xz": np.array(zero, np.uint8)}
    (y,) = cast("list[NDArray[Any]]", onnx_session(onnx).run(None, given))
    return y


@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (11, 5)])
@pytest.mark.parametrize(
    ("bits", "dot_products"), [(7, False), pytest.param(8, True, marks=DOT_PRODUCTS)]
)
def test_products_equal_the_convolution_to_the_last_bit(
    taps: int, dilation: int, bits: int, dot_products: bool
) -> None:
    rng = np.random.default_rng(taps)
    zero = 2 ** (bits - 1)
    weights = rng.integers(0, 2**bits, (24, 64, taps), np.uint8)
    x = rng.integers(0, 256, (1, 64, 90), np.uint8)
    plain = model(weights, zero, dilation)
    products = with_products(plain, dot_products=dot_products)
    assert "MatMulInteger" in kinds(products)
    assert "ConvInteger" not in kinds(products)
    assert np.array_equal(convolved(plain, x, 93), convolved(products, x, 93))


def test_without_dot_products_only_channels_of_more_than_7_bits_lose_the_last() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 128, (24, 64, 3), np.uint8)
    weights[5, 0, 0] = 131
    x = np.full((1, 64, 90), 255, np.uint8)  # whose products are the largest
    plain = model(weights, 64, 1)
    truth = convolved(plain, x, 0)
    found = convolved(with_products(plain, dot_products=False), x, 0)
    assert np.array_equal(np.delete(truth, 5, axis=1), np.delete(found, 5, axis=1))
    lost = (weights[5].astype(int) - 64) % 2  # at most one unit for each odd weight
    assert 0 < np.abs(truth[:, 5] - found[:, 5]).max() <= 255 * lost.sum()


def test_weights_too_far_from_their_zero_stay() -> None:
    weights = np.full((8, 64, 3), 255, np.uint8)
    assert kinds(with_products(model(weights, 64, 1), dot_products=True)) == ["ConvInteger"]


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (64, 2)])
def test_what_does_not_gain_stays(channels: int, stride: int) -> None:
    weights = np.full((8, channels, 3), 7, np.uint8)
    plain = model(weights, 1, 1, stride)
    assert kinds(with_products(plain, dot_products=True)) == ["ConvInteger"]


def test_fields_come_back_as_they_were_written() -> None:
    message = field(1, 300) + field(20, b"words") + field(3, bytes([172, 2, 5]))
    number, words, packed = fields(memoryview(message))
    assert number == (1, 300)
    assert text(words[1]) == "words"
    assert integers(packed[1]) == [300, 5]
