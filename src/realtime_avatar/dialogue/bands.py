"""Sound as its energy in some bands, 100 times a second."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio

HOP: Final = RATE // 100
"""Samples from one frame to the next."""

BANDS: Final = 16
"""From 200 to 6,000 Hz, evenly on the mel scale."""

FRAME: Final = 2 * HOP


class Bands:
    """Measures one stream at 16 kHz."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._window = np.hanning(FRAME).astype(np.float32)
        mel = 2595 * np.log10(1 + np.fft.rfftfreq(FRAME, 1 / RATE) / 700)
        low, high = 2595 * np.log10(1 + np.array([200, 6000]) / 700)
        self._edges = np.searchsorted(mel, np.linspace(low, high, BANDS + 1))

    def push(self, audio: Audio) -> NDArray[np.float64]:
        """Take the next samples; return the mean power in each frame that they complete.

        Returns:
            Shape (frames, BANDS); samples are int16.
        """
        known = np.concatenate([self._rest, audio.pcm.astype(np.float32)])
        count = max(0, (len(known) - FRAME) // HOP + 1)
        self._rest = known[count * HOP :]
        if not count:
            return np.zeros((0, BANDS))
        frames = np.lib.stride_tricks.sliding_window_view(known, FRAME)[: count * HOP : HOP]
        spectrum = np.fft.rfft(frames * self._window)
        power = (spectrum.real**2 + spectrum.imag**2) / FRAME
        sums = np.add.reduceat(power, self._edges, axis=1)[:, :BANDS]
        return sums / np.diff(self._edges)
