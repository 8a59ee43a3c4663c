"""What the motion network hears: log-mel bands, levelled so that voices resemble each other.

Exactly, for mono sound at 16 kHz in [-1, 1], 100 frames a second:

1. Frame t is the 400 samples [160 t - 240, 160 t + 160), zeros before the start, times a
   periodic Hann window; the power spectrum of its 512-point FFT.
2. 64 triangular bands, centres equally spaced on the mel scale 2595 log10(1 + f / 700)
   between 60 and 7600 Hz, each with a peak of 1; natural logarithm of the sum + 1e-7.
3. Cepstral mean normalisation that only looks back: each band's mean over the speech so
   far, started from the training speaker's mean as if that had been heard for a second,
   forgetting over five seconds, is subtracted. What counts as speech is within 30 dB of a
   level that follows peaks at once and falls by 1 dB a second.
4. Clipped to [-7, 5], divided by 2: pauses of clean and of noisy recordings alike lie
   near the bottom.

The mean takes away level, microphone, room and the long-term colour of a voice. (Mean
normalisation over what was heard so far: Viikki and Laurila, "Cepstral domain segmental
feature vector normalization", 1998.)
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
HOP: Final = 160
BANDS: Final = 64
_WINDOW, _FFT = 400, 512
_PRIOR, _MEMORY = 100.0, 500.0  # frames of speech
_FALL = 1 / 100 * np.log(10) / 10  # of the level, a frame
_DEPTH = 30 * np.log(10) / 10  # of what counts as speech, below the level
_QUIET = -4.0  # log of power; a level never falls below it, so silence stays silence


def _filters() -> NDArray[np.float32]:
    low, high = (2595 * np.log10(1 + f / 700) for f in (60, 7600))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_FFT, 1 / RATE)
    rise = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


_FILTERS: Final = _filters()
_HANN: Final = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def log_mel(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel frames of sound with its 240 samples of history in front.

    Args:
        pcm: float32 in [-1, 1], shape (..., 240 + 160 n).

    Returns:
        float32, shape (..., n, 64).
    """
    frames = np.lib.stride_tricks.sliding_window_view(pcm, _WINDOW, axis=-1)[..., ::HOP, :]
    power = np.abs(np.fft.rfft(frames * _HANN, _FFT)).astype(np.float32) ** 2
    return np.log(power @ _FILTERS + np.float32(1e-7))


class Leveller:
    """Subtracts from each band its mean over the speech so far.

    Args:
        prior: float32, shape (64,) or (streams, 64): the mean to begin with.
        streams: How many streams are levelled side by side.
    """

    def __init__(self, prior: NDArray[np.float32], streams: int = 1) -> None:
        self._mean = np.array(np.broadcast_to(prior, (streams, BANDS)), np.float32)
        self._heard = np.full(streams, _PRIOR, np.float32)
        self._level = np.array(np.broadcast_to(prior.max(-1), streams), np.float32)

    def level(self, mels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return frames normalised, float32 in [-3.5, 2.5].

        Args:
            mels: Of `log_mel`, shape (streams, frames, 64).
        """
        out = np.empty(mels.shape, np.float32)
        loud = np.log(np.exp(mels).mean(2))
        for t in range(mels.shape[1]):
            self._level = np.maximum(loud[:, t], np.maximum(self._level - _FALL, _QUIET))
            speech = np.clip((loud[:, t] - self._level + _DEPTH) / _DEPTH * 2, 0, 1)
            self._heard = np.minimum(self._heard + speech, _MEMORY)
            change = (speech / self._heard)[:, None] * (mels[:, t] - self._mean)
            self._mean += change.astype(np.float32)
            out[:, t] = mels[:, t] - self._mean
        return np.clip(out, -7, 5) / np.float32(2)
