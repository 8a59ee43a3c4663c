"""What one person says in one turn, decoded bit by bit."""

from dataclasses import dataclass, field
from typing import Final

from realtime_avatar.engines.ports import Transcript
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media.language import UNSPACED

MARGIN: Final = RATE * 3 // 10
"""Samples that are decoded before the speech, for soft sounds."""

COMMIT: Final = 6 * RATE  # if so much has been decoded, it is not decoded again
PAUSE: Final = RATE // 5  # after a pause as long as this


@dataclass(slots=True, eq=False)
class Utterance:
    """One turn's words and pauses, in samples at 16 kHz.

    Attributes:
        began: First sample of it.
        start: First sample of what is still to be decoded at each pause.
        tried: When it was last decoded.
        held: Whether no silence ends it.
        forced: Whether it ends as soon as it has been decoded.
        pause: First sample of the silence, while there is some.
        asked: The pause that the engines were asked about last.
        resumed: Where the pause before began and ended.
        parts: What was said before `start`.
        heard: What was said from there to the pause.
        finished: Probability that the turn is over with it.
        steady: Whether it is short, and one vowel or hum.
        guessed: The words that were told last.
        likely: Whether it has been told that it probably is.
    """

    began: int
    start: int
    tried: int
    held: bool = False
    forced: bool = False
    pause: int | None = None
    asked: int = -1
    resumed: tuple[int, int] = (-1, -1)
    parts: list[Transcript] = field(default_factory=list[Transcript])
    heard: Transcript | None = None
    finished: float | None = None
    steady: bool = False
    guessed: str = ""
    likely: bool = False

    def resume(self, at: int) -> None:
        """Take note that the pause is over."""
        assert self.pause is not None
        self.resumed = (self.pause, at)
        if self.heard is not None:
            self.commit(*self.resumed, self.heard)
        self.pause = self.heard = self.finished = None
        self.steady = False

    def commit(self, pause: int, at: int, heard: Transcript) -> None:
        """Keep what was heard until a pause for good, if it is long and so is the pause."""
        if pause - self.start >= COMMIT and at - pause >= PAUSE:
            self.parts.append(heard)
            self.start = max(pause, at - MARGIN)

    def text(self, tail: Transcript) -> str:
        """Return all that was said, `tail` being what was heard since `start`."""
        heard = [part for part in (*self.parts, tail) if part.text]
        spaced = any(part.language not in UNSPACED for part in heard)
        return (" " if spaced else "").join(part.text for part in heard)
