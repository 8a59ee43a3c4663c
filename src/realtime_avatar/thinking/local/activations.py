"""Numbers of tokens as the bytes that weights are multiplied with, as machine code for Numba."""

import math
from typing import Any, Final, NamedTuple, cast

import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.dots import ROWS

_jit: Any = cast("Any", numba).njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


PANELS: Final = 32
"""Of rows of a matrix, that a piece of work may have."""

TOGETHER: Final = 6
"""Heads that look back at once: as many as there are registers for."""


class Own(NamedTuple):
    """Where one thread works alone: numbers as bytes, and what `dots.product` wants of them.

    Attributes:
        row: [the widest of all].
        bytes: [tokens, the widest].
        scales: For each 32 bytes.
        sums_32: Of each 32 bytes, times their scale.
        sums_16: Of each 16.
        out: What comes out of a piece: [`PANELS`, tokens, `ROWS`].
        queries: Of heads that look back, [`TOGETHER`, head].
        scores: Of what they look at, [`TOGETHER`, positions].
        seen: What they see, [`TOGETHER`, head].
    """

    row: NDArray[np.float32]
    bytes: NDArray[np.int8]
    scales: NDArray[np.float32]
    sums_32: NDArray[np.float32]
    sums_16: NDArray[np.float32]
    out: NDArray[np.float32]
    queries: NDArray[np.float32]
    scores: NDArray[np.float32]
    seen: NDArray[np.float32]


def own(widest: int, positions: int, rows: int, head: int) -> Own:
    """Return room for one thread, and so many tokens."""
    return Own(
        np.zeros(widest, np.float32),
        np.zeros((rows, widest), np.int8),
        np.zeros((rows, widest // 32), np.float32),
        np.zeros((rows, widest // 32), np.float32),
        np.zeros((rows, widest // 16), np.float32),
        np.zeros((PANELS, rows, ROWS), np.float32),
        np.zeros((TOGETHER, head), np.float32),
        np.zeros((TOGETHER, positions), np.float32),
        np.zeros((TOGETHER, head), np.float32),
    )


@_jit
def exp(x: Any) -> Any:
    """Return e^x to 2e-7 of it, so that loops over it can be of vectors."""
    x = min(max(x, np.float32(-87)), np.float32(87))
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    x = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    y = y * x * x + x + np.float32(1)
    return y * np.int32((np.int32(n) + 127) << 23).view(np.float32)


@_jit
def _bytes(own: Any, token: int, width: int) -> None:
    """Make bytes of the numbers in `own.row`."""
    row, bytes_ = own.row, own.bytes[token]
    for block in range(width // 32):
        first = block * 32
        most = np.float32(0)
        for at in range(first, first + 32):
            most = max(most, abs(row[at]))
        scale = most / np.float32(127)
        inverse = np.float32(127) / most if most > 0 else np.float32(0)
        low = high = np.int32(0)
        for at in range(first, first + 16):
            value = np.int32(np.rint(row[at] * inverse))
            bytes_[at] = value
            low += value
        for at in range(first + 16, first + 32):
            value = np.int32(np.rint(row[at] * inverse))
            bytes_[at] = value
            high += value
        own.scales[token, block] = scale
        own.sums_16[token, 2 * block] = scale * low
        own.sums_16[token, 2 * block + 1] = scale * high
        own.sums_32[token, block] = scale * (low + high)


@_jit
def normed(own: Any, x: Any, tokens: int, norm: Any, least: float) -> None:
    """Make bytes of normed tokens."""
    width = norm.size
    for token in range(tokens):
        total = np.float32(0)
        for at in range(width):
            total += x[token, at] * x[token, at]
        times = np.float32(1 / math.sqrt(total / width + least))
        for at in range(width):
            own.row[at] = x[token, at] * times * norm[at]
        _bytes(own, token, width)


@_jit
def plain(own: Any, x: Any, tokens: int, width: int) -> None:
    """Make bytes of tokens as they are."""
    for token in range(tokens):
        for at in range(width):
            own.row[at] = x[token, at]
        _bytes(own, token, width)
