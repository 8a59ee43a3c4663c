"""How high a voice is: fundamental frequency by normalised autocorrelation.

A frame's lag is where its autocorrelation, divided by that of the window (Boersma, "Accurate
short-term analysis of the fundamental frequency", 1993), peaks; of lags nearly as good the
shortest, or a voice would be heard an octave low.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media import Audio

LOWEST: Final = 65.0
HIGHEST: Final = 420.0
"""Hz."""

_FRAME: Final = 0.04  # seconds: two and a half periods of the lowest voice
_HOP: Final = 0.01
_VOICED: Final = 0.55  # autocorrelation from which a frame has a pitch
_NEARLY: Final = 0.9  # share of the highest peak from which a shorter lag is taken
_QUIET: Final = 0.1  # of the loudest frames' level


def pitches(audio: Audio) -> NDArray[np.float64]:
    """Return the fundamental frequency of each voiced frame of 10 ms, Hz, in order."""
    size, hop = round(_FRAME * audio.rate), round(_HOP * audio.rate)
    sound = audio.float32()
    if len(sound) < size:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop]
    levels = np.sqrt(np.square(frames).mean(axis=1))
    frames = frames[levels > _QUIET * np.quantile(levels, 0.95)].astype(np.float64)
    window = np.hanning(size)
    shortest, longest = int(audio.rate / HIGHEST), int(np.ceil(audio.rate / LOWEST))
    alike = _autocorrelation((frames - frames.mean(axis=1, keepdims=True)) * window)
    alike = alike[:, : longest + 2] / _autocorrelation(window[None])[:, : longest + 2]
    peak = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] > alike[:, 2:])
    peaks = np.where(peak, alike[:, 1:-1], 0)
    peaks[:, : shortest - 1] = 0
    highest = peaks.max(axis=1)
    voiced = highest > _VOICED
    lags = 1 + np.argmax(peaks[voiced] >= _NEARLY * highest[voiced, None], axis=1)
    return audio.rate / lags


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each frame's autocorrelation divided by its power."""
    size = frames.shape[1]
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    found = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]
    return found / (found[:, :1] + 1e-12)
