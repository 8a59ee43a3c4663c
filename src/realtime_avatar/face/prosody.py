"""What in the sound moves more than the mouth: talking at all, stress, the end of a phrase."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SPEAKING, STRESS, PAUSE = range(3)
"""Columns of what `Prosody` returns."""

_STEP: Final = 50  # steps a second, of two log-mel frames each
_VOICED_BANDS: Final = slice(3, 30)  # 190 to 1900 Hz: vowels, hardly fricatives
_LOUD, _QUIET = -0.9, -1.7  # levelled log-mel from which it is speech, below which it is not
_REFRACTORY: Final = 0.45  # seconds between two stresses: words, not syllables
_PHRASE: Final = 0.16  # seconds of quiet that end a phrase


class Prosody:
    """Follows the loudness of one stream.

    A stress is a peak of loudness that stands out of the last seconds, known when it has
    passed: what comes out is as late as the look-ahead allows.

    Args:
        ahead: Steps of 20 ms between what is heard and what it is shown with.
    """

    def __init__(self, ahead: int) -> None:
        self._late = ahead
        self._speaking = False
        self._quiet = self._since = 0.0
        self._usual, self._spread = -0.2, 0.5  # of the loudness of speech
        self._last = self._smooth = self._rising = -3.5

    def push(self, mels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take levelled log-mels, shape (2 n, 64).

        Returns:
            float32, shape (m, 3), for each 20 ms from the start of the stream: 1 while
            speaking; at a stress how strong, in (0, 1]; 1 where a phrase has just ended.
        """
        rows = [self._step(float(two)) for two in _loudness(mels)]
        skipped = min(self._late, len(rows))
        self._late -= skipped
        return np.array(rows[skipped:], np.float32).reshape(-1, 3)

    @staticmethod
    def silence(steps: int) -> NDArray[np.float32]:
        """Return `steps` rows of nothing said."""
        return np.zeros((steps, 3), np.float32)

    def _step(self, loudness: float) -> tuple[float, float, float]:
        self._since += 1 / _STEP
        self._smooth += 0.45 * (loudness - self._smooth)
        if loudness > _LOUD:
            self._speaking, self._quiet = True, 0.0
        elif loudness < _QUIET:
            self._quiet += 1 / _STEP
        pause = self._speaking and self._quiet >= _PHRASE
        if pause:
            self._speaking = False
        stress = self._stress() if self._speaking else 0.0
        if self._speaking and loudness > _QUIET:
            self._usual += 0.008 * (self._smooth - self._usual)
            self._spread += 0.008 * (abs(self._smooth - self._usual) - self._spread)
        return float(self._speaking), stress, float(pause)

    def _stress(self) -> float:
        """Return how strong a stress is that peaked in the step before, else 0."""
        peaked = self._last > self._rising and self._last >= self._smooth
        self._rising, self._last = self._last, self._smooth
        over = (self._rising - self._usual) / max(self._spread, 0.2)
        if not peaked or over < 0.6 or self._since < _REFRACTORY:
            return 0.0
        self._since = 0.0
        return min(1.0, 0.3 + 0.35 * over)


def _loudness(mels: NDArray[np.float32]) -> NDArray[np.float32]:
    return mels[:, _VOICED_BANDS].mean(1).reshape(-1, 2).mean(1)
