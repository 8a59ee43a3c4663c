"""From the probability of speech, a figure for each 32 ms, to where speech starts and ends."""

from dataclasses import dataclass
from typing import Final

from realtime_avatar.engines.ports import SpeechEnd, SpeechStart

RATE: Final = 16000
"""Of the sound that the probabilities are about, Hz."""

WINDOW: Final = 512
"""Samples that one probability is about."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as speech. Lengths are in samples of `RATE`.

    Attributes:
        start: Probability from which a window in silence is speech.
        end: Probability below which a window in speech is silence.
        min_speech: A burst with less speech in it is ignored.
        min_silence: A shorter pause belongs to the speech around it.
        padding: Added before and after.
    """

    start: float = 0.5
    end: float = 0.35
    min_speech: int = 3200
    min_silence: int = 8000
    padding: int = 3200


class Activity:
    """Follows one stream of probabilities with hysteresis.

    A start is told once a burst is long enough and an end once a pause is; both are dated
    back to where they began. Starts and ends alternate and never overlap.

    Args:
        limits: What counts as speech.
        origin: First sample of the stream.
    """

    def __init__(self, limits: Limits, origin: int = 0) -> None:
        self._limits = limits
        self._position = self._earliest = origin
        self._speaking = False
        self._burst: int | None = None  # where speech, or what may become speech, began
        self._voiced = 0  # samples of speech in it
        self._pause: int | None = None  # where the silence in it or after it began

    @property
    def reach(self) -> int:
        """First sample that is not known to be speech: a pause's first, or the next to come."""
        return self._position if self._pause is None else self._pause

    @property
    def keep(self) -> int:
        """No later event will be dated before this sample."""
        begun = self._position if self._burst is None else self._burst
        return max(self._earliest, begun - self._limits.padding)

    def push(self, probability: float) -> SpeechStart | SpeechEnd | None:
        """Take the next window's probability; return what it brings to light."""
        limits, at = self._limits, self._position
        self._position += WINDOW
        if probability >= limits.start:
            if self._burst is None:
                self._burst, self._voiced = at, 0
            self._voiced += WINDOW
            self._pause = None
            if not self._speaking and self._voiced >= limits.min_speech:
                self._speaking = True
                return SpeechStart(max(self._earliest, self._burst - limits.padding))
            return None
        if self._burst is None:
            return None
        if self._pause is None and (not self._speaking or probability < limits.end):
            self._pause = at
        if self._pause is None:
            return None
        silence = self._position - self._pause
        if self._speaking and silence >= limits.min_silence:
            return self._end(self._position)
        if not self._speaking and silence >= limits.min_speech:
            self._burst = self._pause = None
        return None

    def finish(self, end: int) -> SpeechEnd | None:
        """Return the end of speech that goes on when the stream ends.

        Args:
            end: First sample after the stream.
        """
        return self._end(end) if self._speaking else None

    def _end(self, latest: int) -> SpeechEnd:
        stopped = latest if self._pause is None else self._pause + self._limits.padding
        self._earliest = min(stopped, latest)
        self._speaking, self._burst, self._pause = False, None, None
        return SpeechEnd(self._earliest)
