from typing import Any, cast

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.processor import features
from realtime_avatar.voice.byte_convolution import (
    ROWS,
    WIDE,
    convolve,
    packed,
    summing,
    supported,
)
from realtime_avatar.voice.snake import quantise, snake, statistics

pytestmark = pytest.mark.skipif(not supported(), reason="this processor has no AVX2")


def convolved(x: NDArray[np.uint8], weights: NDArray[np.int8], dilation: int) -> NDArray[np.int64]:
    length = len(x) - (len(weights) - 1) * dilation
    taps = enumerate(weights.astype(np.int64))
    return sum((x[at * dilation :][:length] @ tap for at, tap in taps), np.zeros(1, np.int64))


def result(x: NDArray[np.uint8], weights: NDArray[np.int8], dilation: int) -> NDArray[np.float32]:
    length, channels = len(x) - (len(weights) - 1) * dilation, weights.shape[2]
    room = np.concatenate([x, np.full((ROWS, x.shape[1]), 77, np.uint8)])
    out = np.full((length, channels), np.nan, np.float32)
    one = packed(weights)
    ones = np.ones(channels, np.float32)
    convolve(room, one.bytes, one.groups, dilation, ones, 0 * ones, out, False)
    return out


@pytest.mark.parametrize(("largest", "group"), [(64, 1), (32, 2), (16, 4), (8, 8)])
@pytest.mark.parametrize(("taps", "dilation", "length"), [(1, 1, 5), (3, 1, 6), (11, 5, 40)])
def test_sums_are_exact_whatever_fits_into_16_bits(
    largest: int, group: int, taps: int, dilation: int, length: int
) -> None:
    rng = np.random.default_rng(taps)
    weights = rng.integers(-largest, largest + 1, (taps, 64, 32), np.int8)
    weights[0, :32, :16], weights[0, :32, 16:] = largest, -largest  # the largest sums there are
    x = rng.integers(0, 256, (length + (taps - 1) * dilation, 64), np.uint8)
    x[:2] = 255
    assert (packed(weights).groups == group).all()
    assert np.array_equal(result(x, weights, dilation), convolved(x, weights, dilation))


@pytest.mark.parametrize("wide", [0, 8, 16])
def test_sums_are_the_same_by_each_of_the_instructions_that_are_here(wide: int) -> None:
    if wide > WIDE:
        pytest.skip(f"this processor has no dot products of {wide} lanes")
    if wide == 8 and not has_dots_of_eight():
        pytest.skip("this processor has dot products of 16 lanes only")
    sums = summing(2, wide)

    @cast("Any", numba).njit
    def sum_all(
        x: NDArray[np.uint8], weights: NDArray[np.int8], out: NDArray[np.int32], dilation: int
    ) -> None:
        _, taps, steps, _, _ = weights.shape
        channels = x.shape[1]
        tap = dilation * channels
        sums(x.ctypes.data, channels, tap, weights.ctypes.data, taps, steps, out.ctypes.data)

    rng = np.random.default_rng(wide)
    largest = 127 if wide else 32  # without dot products two of four channels' must fit 16 bits
    weights = rng.integers(-largest, largest + 1, (3, 16, 16), np.int8)
    x = rng.integers(0, 256, (ROWS + 4, 16), np.uint8)
    out = np.zeros((ROWS, 16), np.int32)
    sum_all(x, packed(weights).bytes, out, 2)
    assert np.array_equal(out, convolved(x, weights, 2))


def has_dots_of_eight() -> bool:
    has = features()
    return bool(has.get("avxvnni") or (has.get("avx512vnni") and has.get("avx512vl")))


def test_channels_are_scaled_shifted_and_added_to_what_was_there() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(-9, 10, (3, 32, 16), np.int8)
    x = rng.integers(0, 256, (20 + ROWS, 32), np.uint8)
    scale, shift = rng.uniform(0.1, 1, (2, 16)).astype(np.float32)
    before = rng.uniform(-1, 1, (18, 16)).astype(np.float32)
    out, one = before.copy(), packed(weights)
    convolve(x, one.bytes, one.groups, 1, scale, shift, out, True)
    assert np.allclose(out, before + convolved(x[:20], weights, 1) * scale + shift, rtol=1e-5)


def test_statistics_of_a_long_channel_far_from_nothing() -> None:
    x = np.random.default_rng(0).normal(30, 0.5, (20_000, 16)).astype(np.float32)
    mean, variance = statistics(x)
    assert np.allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    assert np.allclose(variance, x.var(axis=0, dtype=np.float64), rtol=5e-3)


def test_snake_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 4, (200, 16)).astype(np.float32)
    scale, shift, alpha = rng.uniform(0.2, 3, (3, 16)).astype(np.float32)
    out = np.empty_like(x)
    least, greatest = snake(x, scale, shift, alpha, out)
    y = x * scale + shift
    assert np.allclose(out, y + np.sin(alpha * y) ** 2 / alpha, atol=2e-5)
    assert (least, greatest) == (out.min(), out.max())


@pytest.mark.parametrize(("low", "high"), [(-3, 5), (1, 5), (-3, -1), (0, 0)])
def test_numbers_come_back_from_bytes_to_half_a_step(low: float, high: float) -> None:
    x = np.random.default_rng(0).uniform(low, high, (50, 16)).astype(np.float32)
    room = np.full((64, 16), 99, np.uint8)
    scale, zero = quantise(x, float(x.min()), float(x.max()), 4, room)
    assert (room[:4] == zero).all()
    assert (room[54:] == zero).all()
    assert np.abs((room[4:54].astype(float) - zero) * scale - x).max() <= 0.501 * scale
