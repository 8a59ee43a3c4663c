"""One answer under way, perhaps only on a guess that the person has finished."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from anyio import CancelScope, Event, current_time, get_cancelled_exc_class

from realtime_avatar.dialogue.events import Finished, Source
from realtime_avatar.dialogue.turn import Turn
from realtime_avatar.telemetry.timings import Timings
from realtime_avatar.thinking.knowledge import Passage


@dataclass(slots=True, eq=False)
class Answering:
    """An answer that a session is giving.

    Attributes:
        number: Of the turn in the session.
        question: What is answered.
        language: Of the question and the answer, ISO 639-1.
        asked: When the person's last sample was spoken, or their message came; like all
            times here on the event loop's clock, seconds.
        go: Set once it is certain that they have finished.
        ended: Set when every stage has let go of its engine.
        scope: Ends it.
        timings: Of its stages.
        turn: Once its engines are open.
        cut: Whether an interruption ended it, or the end of the call.
        sources: What was looked up for it.
    """

    number: int
    question: str
    language: str
    asked: float
    go: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)
    scope: CancelScope = field(default_factory=CancelScope)
    timings: Timings = field(default_factory=Timings)
    turn: Turn | None = None
    cut: bool = False
    sources: tuple[Source, ...] = ()
    _marks: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def heard(self) -> str:
        """The words that were heard; known when it has ended."""
        return self.turn.heard.strip() if self.turn else ""

    @property
    def unheard(self) -> str:
        """The words that were thought of and not heard."""
        return _rest(self.turn.text, self.turn.heard).strip() if self.turn else ""

    @property
    def audible(self) -> bool:
        """Whether any of it has been heard."""
        return "playout" in self._marks

    def mark(self, stage: str) -> None:
        """Note that a stage has its first result now, unless it had one before."""
        self._marks.setdefault(stage, current_time())

    def cite(self, found: Sequence[Passage]) -> None:
        """Note what was looked up for it."""
        self.sources = tuple(
            Source(document=one.document, place=one.place, text=one.text) for one in found
        )

    def stages(self) -> dict[str, float]:
        """Return when each stage had its first result, seconds after `asked`."""
        marks = dict(self._marks)
        for name in ("chat", "voice", "face"):
            stage = self.timings.stages.get(name)
            if stage is not None and stage.first is not None:
                marks[name] = self.timings.start + stage.first
        return {name: at - self.asked for name, at in sorted(marks.items(), key=lambda m: m[1])}

    def finished(self) -> Finished:
        """Return its end, as the page is told of it."""
        return Finished(
            turn=self.number, heard=self.heard, unheard=self.unheard, interrupted=self.cut
        )

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Give it in here, until it has been said or is cut off."""
        with self.scope:
            try:
                yield
            except get_cancelled_exc_class():  # also where its person has left
                self.cut = True
                raise

    async def stop(self) -> None:
        """End it; return when every stage has let go of its engine."""
        self.cut = True
        self.scope.cancel()
        await self.ended.wait()


def _rest(text: str, heard: str) -> str:
    """Return what follows the words heard, which may differ in white space."""
    letters = len("".join(heard.split()))
    for at, letter in enumerate(text):
        if letters == 0:
            return text[at:]
        letters -= not letter.isspace()
    return ""
