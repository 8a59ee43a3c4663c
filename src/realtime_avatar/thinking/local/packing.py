"""Weights of a GGUF file in the order in which `dots` reads them."""

from dataclasses import dataclass
from typing import Any, Final, cast

import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.dots import BLOCK, BYTES, ROWS
from realtime_avatar.thinking.local.gguf import Q4_0, Q4_1, Q4_K, Q6_K, Q8_0, Tensor

_HALVES: Final = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
"""All numbers of 16 bits; NaN among them."""

_MIDDLE: Final = 64
_jit: Any = cast("Any", numba).njit(cache=True, nogil=True)


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix.

    Attributes:
        bits: Of a weight, 4 or 6.
        columns: Numbers in, a multiple of `BLOCK`.
        bytes: [rows / `ROWS`, columns / `BLOCK`, bytes of a block]; see `pack`.
    """

    bits: int
    columns: int
    bytes: NDArray[np.uint8]

    @property
    def rows(self) -> int:
        """Numbers out."""
        return self.bytes.shape[0] * ROWS

    @property
    def place(self) -> NDArray[np.int64]:
        """Where kernels find it: its address and bits. It is not kept alive by that."""
        return np.array([self.bytes.ctypes.data, self.bits], np.int64)


def pack(tensor: Tensor, rows: NDArray[np.intp] | None = None) -> Packed:
    """Pack a matrix, or some of its rows. The lock of Python is not held meanwhile.

    Weights of four bits, and `Q6_K`, stay what they are; `Q8_0` is rounded to six bits. A
    block is the weights of 32 columns of 16 rows, four columns of a row beside each other; of
    four bits those of four columns in the low and of the next four in the high half of a byte.
    Then come 16 scales and 16 least values, or of six bits 16 scales for each half, float16.

    Raises:
        ValueError: if it is of a type or shape that cannot be packed.
    """
    raw = tensor.rows if rows is None else tensor.rows[rows]
    if tensor.columns % BLOCK or raw.shape[0] % ROWS or tensor.type not in _TYPES:
        raise ValueError(
            f"a matrix of type {tensor.type}, {raw.shape[0]} x {tensor.columns}, cannot be packed"
        )
    bits = 4 if tensor.type in _FOUR else 6
    panels, blocks = raw.shape[0] // ROWS, tensor.columns // BLOCK
    out = np.zeros((panels, blocks, BYTES[bits]), np.uint8)
    scales = np.empty((2, panels, blocks, ROWS), np.float32)
    raw = np.ascontiguousarray(raw)
    (_pack_4 if bits == 4 else _pack_6)(raw, tensor.type, _HALVES, out, scales)
    for at, part in enumerate(scales):
        place = BYTES[bits] - 2 * ROWS * (2 - at)
        out[:, :, place : place + 2 * ROWS] = part.astype(np.float16).view(np.uint8)
    return Packed(bits, tensor.columns, out)


def unpack(tensor: Tensor, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return some rows of a matrix as numbers, [rows, columns].

    Raises:
        ValueError: if it is of a type that cannot be packed either.
    """
    if tensor.type not in _TYPES:
        raise ValueError(f"a matrix of type {tensor.type} cannot be read")
    raw = np.ascontiguousarray(tensor.rows[rows])
    out = np.empty((len(rows), tensor.columns), np.float32)
    _unpack(raw, tensor.type, _HALVES, out)
    return out


@_jit
def _half(halves: Any, row: Any, at: int) -> float:
    return halves[row[at] | row[at + 1] << 8]


@_jit
def _four(row: Any, kind: int, halves: Any, block: int, weights: Any) -> tuple[float, float]:
    """Read a block of 32 weights of four bits; return its scale and least value."""
    if kind == Q4_K:
        start, at = block // 8 * 144, block % 8
        scale, least = _half(halves, row, start), _half(halves, row, start + 2)
        bits = start + 4
        if at < 4:
            times, minus = row[bits + at] & 63, row[bits + at + 4] & 63
        else:
            times = (row[bits + at + 4] & 15) | (row[bits + at - 4] >> 6) << 4
            minus = (row[bits + at + 4] >> 4) | (row[bits + at] >> 6) << 4
        first, shift = start + 16 + at // 2 * 32, at % 2 * 4
        for number in range(32):
            weights[number] = (row[first + number] >> shift) & 15
        return scale * times, -least * minus
    start = block * (20 if kind == Q4_1 else 18)
    scale = _half(halves, row, start)
    least = _half(halves, row, start + 2) if kind == Q4_1 else -8 * scale
    first = start + (4 if kind == Q4_1 else 2)
    for number in range(16):
        weights[number] = row[first + number] & 15
        weights[number + 16] = row[first + number] >> 4
    return scale, least


@_jit
def _scale_6(row: Any, halves: Any, sixteen: int) -> float:
    """Return the scale of 16 weights of `Q6_K`."""
    start = sixteen // 16 * 210
    scale = row[start + 192 + sixteen % 16]
    signed = np.float32(scale) - (256 if scale > 127 else 0)
    return _half(halves, row, start + 208) * signed


@_jit
def _numbers(row: Any, kind: int, halves: Any, block: int, out: Any) -> None:
    """Read a block of 32 weights of more than four bits."""
    if kind == Q6_K:
        start, at = block // 8 * 210, block % 8
        half, quarter = at // 4, at % 4
        low, high = start + half * 64 + quarter % 2 * 32, start + 128 + half * 32
        for number in range(32):
            value = (row[low + number] >> (quarter // 2 * 4)) & 15
            value |= ((row[high + number] >> (quarter * 2)) & 3) << 4
            scale = _scale_6(row, halves, 2 * block + number // 16)
            out[number] = scale * (np.float32(value) - 32)
    else:  # Q8_0
        start = block * 34
        whole = _half(halves, row, start)
        for number in range(32):
            value = row[start + 2 + number]
            out[number] = whole * (np.float32(value) - (256 if value > 127 else 0))


@_jit
def _pack_4(raw: Any, kind: int, halves: Any, out: Any, scales: Any) -> None:
    weights = np.empty(32, np.uint8)
    for row in range(raw.shape[0]):
        panel, lane = row // 16, row % 16
        for block in range(out.shape[1]):
            scale, least = _four(raw[row], kind, halves, block, weights)
            scales[0, panel, block, lane] = scale
            scales[1, panel, block, lane] = least
            for number in range(32):
                place = number // 8 * 64 + lane * 4 + number % 4
                out[panel, block, place] |= weights[number] << (number // 4 % 2 * 4)


@_jit
def _pack_6(raw: Any, kind: int, halves: Any, out: Any, scales: Any) -> None:
    numbers = np.empty(32, np.float32)
    for row in range(raw.shape[0]):
        panel, lane = row // 16, row % 16
        for block in range(out.shape[1]):
            _numbers(raw[row], kind, halves, block, numbers)
            for half in range(2):
                part = numbers[16 * half : 16 * half + 16]
                scale = np.float32(0)
                if kind == Q6_K:
                    scale = _scale_6(raw[row], halves, 2 * block + half)
                else:
                    for at in range(16):
                        scale = max(scale, abs(part[at]))
                    scale /= np.float32(31)
                scales[half, panel, block, lane] = scale
                for at in range(16):
                    value = np.uint8(32)
                    if scale != 0:
                        value = np.uint8(round(part[at] / scale) + 32)
                    number = 16 * half + at
                    out[panel, block, number // 4 * 64 + lane * 4 + number % 4] = value


@_jit
def _unpack(raw: Any, kind: int, halves: Any, out: Any) -> None:
    weights = np.empty(32, np.uint8)
    numbers = np.empty(32, np.float32)
    for row in range(raw.shape[0]):
        for block in range(out.shape[1] // 32):
            if kind in (Q4_0, Q4_1, Q4_K):
                scale, least = _four(raw[row], kind, halves, block, weights)
                for number in range(32):
                    out[row, block * 32 + number] = scale * weights[number] + least
            else:
                _numbers(raw[row], kind, halves, block, numbers)
                for number in range(32):
                    out[row, block * 32 + number] = numbers[number]


_FOUR: Final = {Q4_0, Q4_1, Q4_K}
_TYPES: Final = _FOUR | {Q6_K, Q8_0}
