"""Pictures of speech."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample

_RATE: Final = 16_000
_FFT: Final = 512
_HOP: Final = 128
_RANGE: Final = 70.0  # dB below the loudest that are shown

_COLOURS: Final = np.array(
    [[4, 6, 22], [52, 16, 88], [132, 34, 108], [214, 74, 72], [248, 158, 44], [252, 250, 190]],
    np.float32,
)


def spectrogram(audio: Audio) -> Image.Image:
    """Return frequency (0 to 8 kHz, upwards) over time, 125 columns a second, brighter louder."""
    sound = resample(audio, _RATE).float32()
    sound = np.pad(sound, (0, max(0, _FFT - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FFT)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FFT), axis=1)) ** 2
    decibels = 10 * np.log10(power + 1e-10)
    shade = np.clip(1 + (decibels - decibels.max()) / _RANGE, 0, 1)
    return Image.fromarray(_coloured(shade.T[::-1]))


def _coloured(shade: NDArray[np.float64]) -> NDArray[np.uint8]:
    place = shade * (len(_COLOURS) - 1)
    below = np.minimum(place.astype(int), len(_COLOURS) - 2)
    share = (place - below)[..., None]
    return (_COLOURS[below] * (1 - share) + _COLOURS[below + 1] * share).astype(np.uint8)
