"""What a live session and the page tell each other: typed JSON, one object a message.

The JSON schema of both directions is published by `schema`, and stands in
`docs/events.schema.json`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_TYPED = 2000
"""Characters that a person may type in one turn."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# From the session to the page.


class State(_Message):
    """What the avatar is doing."""

    type: Literal["state"] = "state"
    state: Literal["loading", "idle", "listening", "thinking", "speaking"]


class Conversation(_Message):
    """Which conversation this is from now on, for those who want to go on with it later."""

    type: Literal["conversation"] = "conversation"
    id: str


class Heard(_Message):
    """The person's words. A guess is replaced by the next one of the same turn.

    Attributes:
        seconds: How long they spoke, if it is final; 0 for what was typed.
        kept: Whether these words, which are final, are stored for good.
    """

    type: Literal["heard"] = "heard"
    turn: int
    text: str
    final: bool
    language: str = ""
    seconds: float = 0.0
    kept: bool = False


class Words(_Message):
    """Words of the avatar that begin to be heard now; all of a turn join to its text."""

    type: Literal["words"] = "words"
    turn: int
    text: str


class Finished(_Message):
    """The end of a turn.

    Attributes:
        heard: The avatar's words that were heard.
        unheard: Those that an interruption cut off; the page strikes them through.
        interrupted: Whether one did.
        kept: Whether the whole turn is stored for good.
    """

    type: Literal["finished"] = "finished"
    turn: int
    heard: str
    unheard: str = ""
    interrupted: bool = False
    kept: bool = False


class Source(_Message):
    """A passage of the avatar's documents.

    Attributes:
        document: Name of its file.
        place: Where in it, in words: headings, or a page; may be empty.
        text: What it says.
    """

    document: str
    place: str = ""
    text: str


class Cited(_Message):
    """What the avatar had looked up in its documents for the answer that begins now."""

    type: Literal["cited"] = "cited"
    turn: int
    sources: tuple[Source, ...]


class TurnTimings(_Message):
    """How long a turn took.

    Attributes:
        stages: Seconds from the person's last sample of speech (typed: from the message)
            to each stage's first result, by name: `end_of_turn`, `recognizer`, `chat`,
            `voice`, `face`, `playout`.
    """

    type: Literal["timings"] = "timings"
    turn: int
    stages: dict[str, float]


class Problem(_Message):
    """Something went wrong, in words for the person.

    Attributes:
        fatal: Whether the session ends with it.
    """

    type: Literal["problem"] = "problem"
    message: str
    stage: str = ""
    fatal: bool = False


Event = State | Conversation | Heard | Words | Finished | Cited | TurnTimings | Problem


# From the page to the session.


class Say(_Message):
    """A typed turn."""

    type: Literal["say"] = "say"
    text: str = Field(min_length=1, max_length=MAX_TYPED)


class Stop(_Message):
    """Be quiet."""

    type: Literal["stop"] = "stop"


class Listen(_Message):
    """How the microphone is used from now on.

    `always`: the session finds the turns by itself. `never`: it hears nothing. `talk`: the
    person holds a button; leaving it (`always` or `never`) ends their turn at once.
    """

    type: Literal["listen"] = "listen"
    mode: Literal["always", "never", "talk"]


class Language(_Message):
    """The language to keep to, ISO 639-1; empty follows the person's."""

    type: Literal["language"] = "language"
    language: str = ""


class Restart(_Message):
    """Forget what was said: a new conversation."""

    type: Literal["restart"] = "restart"


Command = Say | Stop | Listen | Language | Restart

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])


def parse_command(message: str | bytes) -> Command:
    """Read a message of the page.

    Raises:
        ValueError: if it is none (pydantic's ValidationError).
    """
    return _COMMAND.validate_json(message)


def schema() -> dict[str, Any]:
    """Return the JSON schema of both directions."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Realtime Avatar session messages",
        "events": _EVENT.json_schema(),
        "commands": _COMMAND.json_schema(),
    }
