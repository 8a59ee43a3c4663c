"""Conversations as they are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

State = Literal["asked", "speaking", "answered", "interrupted", "failed"]
"""How far a turn has come. A turn that stays "asked" or "speaking" was cut off with its server."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a person said, and what the avatar replied.

    Times are seconds on the conversation's own clock, which stands still between sessions.

    Attributes:
        number: In the conversation, from 1.
        said: The person's words.
        language: Of both, ISO 639-1; empty when unknown.
        heard: The avatar's words that were heard.
        unheard: Those that an interruption cut off.
        state: How far it has come.
        problem: What went wrong, in words; empty if nothing did.
        at: When the person had finished, UTC.
        began_s: When the person began to speak; when their message came, if they typed.
        asked_s: When they had finished.
        audible_s: When the answer was first heard; None if it was not.
        ended_s: When it ended; None if that is not known.
        stages: Seconds from the person's last sound to each stage's first result, by name.
        sources: Passages of the avatar's documents that it had looked up for the answer:
            `document`, `place` and `text` of each.
        timeline: The avatar's words, each part with the time at which it began to be heard.
    """

    number: int
    said: str
    at: datetime
    language: str = ""
    heard: str = ""
    unheard: str = ""
    state: State = "asked"
    problem: str = ""
    began_s: float = 0.0
    asked_s: float = 0.0
    audible_s: float | None = None
    ended_s: float | None = None
    stages: dict[str, float] = field(default_factory=dict[str, float])
    sources: tuple[dict[str, str], ...] = ()
    timeline: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a conversation besides its turns.

    Attributes:
        id: Unguessable.
        owner: Hash of the token of whose it is; empty: nobody's, and in no list but the
            operator's.
        avatar: Id of the avatar.
        name: What the avatar was called.
        language: That was kept to, ISO 639-1; empty if the person's was followed.
        started: When its first turn came, UTC.
    """

    id: str
    owner: str
    avatar: str
    name: str
    language: str
    started: datetime


@dataclass(frozen=True, slots=True)
class Conversation(Heading):
    """A conversation with all its turns, in order.

    Attributes:
        updated: When something was last said in it, UTC.
        turns: Of it.
    """

    updated: datetime
    turns: tuple[Turn, ...]

    @property
    def length_s(self) -> float:
        """How long was talked, seconds."""
        ends = (turn.ended_s or turn.audible_s or turn.asked_s for turn in self.turns)
        return max(ends, default=0.0)


@dataclass(frozen=True, slots=True)
class Summary(Heading):
    """A conversation in a list.

    Attributes:
        updated: When something was last said in it, UTC.
        count: Of its turns.
        title: What was said first.
        excerpt: Words around what was searched for; empty without a search.
    """

    updated: datetime
    count: int
    title: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list. `total`: how many there are in all."""

    items: tuple[Summary, ...]
    total: int


def mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a copy of a value, with `leaf` of each thing in its dictionaries and sequences."""
    match value:
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {name: mapped(item, leaf) for name, item in items}
        case list() | tuple():
            return [mapped(item, leaf) for item in cast("Sequence[Any]", value)]
        case _:
            return leaf(value)
