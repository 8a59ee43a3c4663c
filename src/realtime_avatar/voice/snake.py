"""What stands between two convolutions of a vocoder: normalising, a snake, and bytes again.

Arrays have channels innermost: [time, channels]. ONNX Runtime does the same in a dozen steps,
each of which writes everything anew. The snake is Ziyin and others' (2020).
"""

from typing import Any, Final, cast

import numba
import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 256  # moments, whose sums float32 holds

_jit: Any = cast("Any", numba).njit(cache=True, nogil=True, fastmath=True)


@_jit
def statistics(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and variance of each channel of [time, channels]."""
    length, channels = x.shape
    total, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, length, _CHUNK):
        some, some_squares = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
        for row in range(start, min(start + _CHUNK, length)):
            for channel in range(channels):
                value = x[row, channel]
                some[channel] += value
                some_squares[channel] += value * value
        for channel in range(channels):
            total[channel] += some[channel]
            squares[channel] += some_squares[channel]
    mean, variance = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for channel in range(channels):
        centre = total[channel] / length
        mean[channel] = centre
        variance[channel] = max(squares[channel] / length - centre * centre, 0.0)
    return mean, variance


@_jit
def snake(
    x: NDArray[np.float32],
    scale: NDArray[np.float32],
    shift: NDArray[np.float32],
    alpha: NDArray[np.float32],
    out: NDArray[np.float32],
) -> tuple[float, float]:
    """Write y + sin(alpha y)^2 / alpha of y = x * scale + shift; return its least and greatest.

    Args:
        x: [time, channels].
        scale: [channels].
        shift: [channels].
        alpha: [channels], not 0.
        out: Of the shape of `x`; is written.
    """
    length, channels = x.shape
    least, greatest = np.float32(np.inf), np.float32(-np.inf)
    turns, inverse = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for channel in range(channels):
        turns[channel] = alpha[channel] / np.pi
        inverse[channel] = 1 / alpha[channel]
    for row in range(length):
        for channel in range(channels):
            y = x[row, channel] * scale[channel] + shift[channel]
            # sin(pi r)^2 has the period 1: r lies in -0.5..0.5. Taylor's series, as far as
            # float32 sees.
            turn = y * turns[channel]
            r = turn - np.rint(turn)
            s = r * r
            sine = np.float32(-0.0073704309) + s * np.float32(0.0004663028)
            sine = np.float32(0.0821458866) + s * sine
            sine = np.float32(-0.5992645293) + s * sine
            sine = np.float32(2.5501640399) + s * sine
            sine = np.float32(-5.1677127800) + s * sine
            sine = r * (np.float32(3.1415926536) + s * sine)
            out[row, channel] = y + sine * sine * inverse[channel]
        for channel in range(channels):  # apart: together they are not vectorised
            least = min(least, out[row, channel])
            greatest = max(greatest, out[row, channel])
    return float(least), float(greatest)


@_jit
def quantise(
    x: NDArray[np.float32], least: float, greatest: float, before: int, out: NDArray[np.uint8]
) -> tuple[float, int]:
    """Make bytes of numbers as ONNX's DynamicQuantizeLinear does, with zeros around them.

    Args:
        x: [time, channels].
        least: Number in it.
        greatest: Number in it.
        before: Moments of zero before the first; all the rest of `out` becomes zero, too.
        out: [at least before + time, channels]; is written.

    Returns:
        Scale and zero point: x = (byte - zero point) * scale.
    """
    length, channels = x.shape
    least, greatest = min(least, 0.0), max(greatest, 0.0)
    scale = (greatest - least) / 255
    if scale == 0:
        scale = 1.0
    zero = int(np.rint(-least / scale))
    zero = min(max(zero, 0), 255)
    out[:before] = zero
    out[before + length :] = zero
    factor, offset = np.float32(1 / scale), np.float32(zero)
    for row in range(length):
        for channel in range(channels):
            level = np.rint(x[row, channel] * factor) + offset
            level = min(max(level, np.float32(0)), np.float32(255))
            out[before + row, channel] = np.uint8(np.int32(level))
    return scale, zero
