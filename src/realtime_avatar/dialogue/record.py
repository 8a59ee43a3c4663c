"""One session on record: what its events tell becomes turns that are kept."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from secrets import token_urlsafe
from typing import Final

from anyio import BrokenResourceError, ClosedResourceError, Event, current_time, move_on_after

from realtime_avatar.dialogue import events as message
from realtime_avatar.engines.ports import Message
from realtime_avatar.identity.conversations import Conversation, Heading, Turn
from realtime_avatar.identity.journal import Journal, Outcome
from realtime_avatar.identity.store import Entry

PATIENCE: Final = 1.0
"""Seconds that the page is not told of a turn because it is not durable yet; then it is."""

_STAGE: Final = "memory"
_ANSWERS: Final = ("chat", "voice", "face", "playout")  # stages whose failure is a turn's
_BUSY: Final = 64  # entries that wait in the journal, above which half-heard replies are left out
_RECENT: Final = 16  # turns about which the page may still have to be told
_PAUSE: Final = 1.0  # seconds on the conversation's clock between two sessions
_TROUBLE: Final = "what is said now cannot be saved, because the database fails; please go on"


class Record:
    """Keeps one session's turns; without a journal, none.

    The session goes on whatever becomes of the database; the page is told once.

    Args:
        journal: Writes them; None keeps nothing.
        owner: Hash of the token of whose they are.
        avatar: Id of the avatar.
        name: Of the avatar.
        language: That is kept to.
        earlier: The conversation that goes on.

    Attributes:
        id: Of the conversation; empty if it is not kept.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        owner: str = "",
        avatar: str = "",
        name: str = "",
        language: str = "",
        earlier: Conversation | None = None,
    ) -> None:
        self._journal = journal
        self._owner, self._avatar = owner, avatar
        self._name, self._language = name, language
        self._tell: Callable[[message.Event], None] = lambda _: None
        self._troubled = False
        self._newest = 0  # of the session's turns
        self._turns: dict[int, Turn] = {}  # those under way, by the session's numbers
        self._fates: dict[tuple[str, int], _Fate] = {}
        self._zero = 0.0  # of the conversation's clock, on the loop's
        self._spent = 0.0  # seconds of the conversation before this session
        self._anew()
        if earlier is not None:
            self.id, self._heading, self._there = earlier.id, earlier, True
            self._last = max((turn.number for turn in earlier.turns), default=0)
            self._spent = earlier.length_s + _PAUSE

    def begin(self, tell: Callable[[message.Event], None]) -> None:
        """Tell the page which conversation this is, and later what goes wrong."""
        self._tell, self._zero = tell, current_time() - self._spent
        if self._journal is not None:
            tell(message.Conversation(id=self.id))

    def restart(self) -> None:
        """Go on as another conversation."""
        self._anew()
        self.begin(self._tell)

    def note(self, event: message.Event) -> None:
        """Take what the session tells; never waits."""
        if self._journal is None:
            return
        match event:
            case message.Heard(final=True, text=text) if text:
                self._asked(self._journal, event)
            case message.TurnTimings(turn=number, stages=stages):
                self._audible(number, stages)
            case message.Cited(turn=number, sources=sources):
                self._change(number, sources=tuple(source.model_dump() for source in sources))
            case message.Words(turn=number, text=text):
                self._spoken(self._journal, number, text)
            case message.Problem(stage=stage, message=problem) if stage in _ANSWERS:
                self._change(self._newest, problem=problem)
            case message.Finished():
                self._finished(self._journal, event)
            case _:
                pass

    async def settled(self, event: message.Event) -> message.Event:
        """Return an event as the page is to have it, when what it tells is durable.

        Where the database fails or is slow, that is not waited for, or not long; the event
        then says that it is not kept.
        """
        fate = self._fates.get(_key(event))
        if fate is None or self._journal is None:
            return event
        if not self._journal.failing:
            with move_on_after(PATIENCE):
                await fate.known.wait()
        self._fates.pop(_key(event), None)
        return event.model_copy(update={"kept": fate.kept})

    def _asked(self, journal: Journal, event: message.Heard) -> None:
        if self._heading is None:
            self._begin_heading(journal)
        self._newest = event.turn
        self._last = journal.number(self.id, self._last)
        now = self._now
        self._turns = {
            event.turn: Turn(
                number=self._last,
                said=event.text,
                at=journal.now,
                language=event.language,
                began_s=max(0.0, now - event.seconds),
                asked_s=now,
            )
        }
        self._write(journal, event.turn, self._fate(event))

    def _audible(self, number: int, stages: dict[str, float]) -> None:
        if turn := self._turns.get(number):
            now = self._now
            asked = round(
                now - stages.get("playout", 0.0), 3
            )  # which is surer than when it was told
            began = max(0.0, asked - (turn.asked_s - turn.began_s))
            self._change(number, stages=stages, audible_s=now, asked_s=asked, began_s=began)

    def _spoken(self, journal: Journal, number: int, text: str) -> None:
        if turn := self._turns.get(number):
            timeline = (*turn.timeline, (self._now, text))
            self._change(number, heard=turn.heard + text, state="speaking", timeline=timeline)
            if journal.waiting < _BUSY:
                self._write(journal, number)

    def _finished(self, journal: Journal, event: message.Finished) -> None:
        turn = self._turns.get(event.turn)
        if turn is None:
            return
        failed = turn.problem and not event.heard
        self._change(
            event.turn,
            heard=event.heard,
            unheard=event.unheard,
            state="interrupted" if event.interrupted else "failed" if failed else "answered",
            ended_s=self._now,
        )
        self._write(journal, event.turn, self._fate(event))

    @property
    def _now(self) -> float:
        """Of the conversation's clock, seconds, to the millisecond."""
        return round(current_time() - self._zero, 3)

    def _anew(self) -> None:
        self.id = token_urlsafe(16) if self._journal is not None else ""
        self._heading: Heading | None = None
        self._there = False  # whether it is in the store
        self._last = 0  # number of a turn in the conversation
        self._spent = 0.0

    def _begin_heading(self, journal: Journal) -> None:
        self._heading = Heading(
            self.id, self._owner, self._avatar, self._name, self._language, journal.now
        )

    def _change(self, number: int, **fields: object) -> None:
        if turn := self._turns.get(number):
            self._turns[number] = replace(turn, **fields)

    def _fate(self, event: message.Event) -> "_Fate":
        while len(self._fates) >= _RECENT:  # of events that never reached the page
            del self._fates[next(iter(self._fates))]
        return self._fates.setdefault(_key(event), _Fate())

    def _write(self, journal: Journal, number: int, fate: "_Fate | None" = None) -> None:
        if self._heading is None:
            return
        entry = Entry(self._heading, self._turns[number], first=not self._there)
        journal.write(entry, partial(self._learn, entry, fate or _Fate()))

    def _learn(self, entry: Entry, fate: "_Fate", outcome: Outcome) -> None:
        """Learn what became of a turn."""
        match outcome:
            case "written":
                fate.kept = True
                self._there = self._there or entry.heading is self._heading
            case "gone" if entry.heading is self._heading:
                self._renew()
            case "failing" | "lost" if not self._troubled:
                self._troubled = True
                self._say(message.Problem(message=_TROUBLE, stage=_STAGE))
            case _:
                pass
        fate.known.set()

    def _renew(self) -> None:
        """Go on as another conversation, as somebody has deleted this one meanwhile."""
        assert self._journal is not None
        assert self._heading is not None
        self._anew()
        self._begin_heading(self._journal)
        for number, turn in self._turns.items():
            self._last = self._journal.number(self.id, self._last)
            self._turns[number] = replace(turn, number=self._last)
            self._write(self._journal, number)
        self._say(message.Conversation(id=self.id))

    def _say(self, event: message.Event) -> None:
        with suppress(ClosedResourceError, BrokenResourceError):  # the session is over
            self._tell(event)


@dataclass(slots=True, eq=False)
class _Fate:
    """Whether something is durable, once that is known."""

    kept: bool = False
    known: Event = field(default_factory=Event)


def _key(event: message.Event) -> tuple[str, int]:
    return event.type, getattr(event, "turn", 0)


def messages_of(conversation: Conversation) -> tuple[Message, ...]:
    """Return an earlier conversation as a chat wants to know it: only what was heard was said."""
    found: list[Message] = []
    for turn in conversation.turns:
        found.append(Message("user", turn.said))
        if turn.heard.strip():
            found.append(Message("assistant", turn.heard.strip()))
    return tuple(found)
