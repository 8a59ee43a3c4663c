"""Mel spectra as speaker encoders were trained on: Slaney's scale, triangles of equal area.

The scale is linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels to a factor of
6.4), as in Slaney's Auditory Toolbox (1998).
"""

from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
"""Of the sound, Hz."""
HOP: Final = 160
"""Samples between frames, 10 ms."""
BANDS: Final = 40

_WINDOW: Final = 400
_BREAK: Final = 1000.0  # Hz, where the scale turns logarithmic
_LINEAR: Final = 200 / 3  # Hz a mel below
_STEP: Final = np.log(6.4) / 27  # of the logarithm, a mel above

Window = Literal["hann", "hamming"]


def mel_power(sound: NDArray[np.float32], window: Window, fft: int) -> NDArray[np.float32]:
    """Return the power in 40 mel bands of each frame of 25 ms.

    Args:
        sound: 16 kHz in [-1, 1], shape (samples,).
        window: Its shape, periodic.
        fft: Length of the transform, at least 400.

    Returns:
        float32, shape (frames, 40), frame t being about samples [160 t, 160 t + fft).
    """
    if len(sound) < fft:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, fft)[::HOP]
    spectrum = np.fft.rfft(frames * _windowed(window, fft), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return (power @ _filters(fft)).astype(np.float32)


@cache
def _windowed(window: Window, fft: int) -> NDArray[np.float32]:
    shape = np.hanning(_WINDOW + 1) if window == "hann" else np.hamming(_WINDOW + 1)
    before = (fft - _WINDOW) // 2
    return np.pad(shape[:-1], (before, fft - _WINDOW - before)).astype(np.float32)


@cache
def _filters(fft: int) -> NDArray[np.float32]:
    edges = _hertz(np.linspace(0, _mels(RATE / 2), BANDS + 2))
    bins = np.fft.rfftfreq(fft, 1 / RATE)
    rise = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    area = 2 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rise, fall)) * area).astype(np.float32)


def _mels(hertz: float) -> float:
    return float(_BREAK / _LINEAR + np.log(hertz / _BREAK) / _STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    corner = _BREAK / _LINEAR
    return np.where(mels < corner, mels * _LINEAR, _BREAK * np.exp(_STEP * (mels - corner)))
