"""What OpenAI's clients send and are sent: its shapes, and where it wants a reply to end."""

import time
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from realtime_avatar.dialogue.one_shot import MAX_TEXT
from realtime_avatar.engines.ports import Message

CHAT_MODEL: Final = "avatar"
"""The chat engine of the settings, with the avatar's character unless a system message is sent."""

_MAX_MESSAGES: Final = 400
_MAX_STOPS: Final = 4
_TOKEN: Final = 4  # bytes of UTF-8, give or take one, in each of our languages

Finish = Literal["stop", "length", "content_filter"]
"""Why a reply has ended."""


class _Asked(BaseModel):
    """A request; null means the same as nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}  # pyright: ignore[reportUnknownVariableType]


class Part(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ChatMessage(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TEXT)] | list[Part]

    def message(self) -> Message:
        """Return it as chats know it."""
        role = "system" if self.role == "developer" else self.role
        parts = [self.content] if isinstance(self.content, str) else [p.text for p in self.content]
        return Message(role, "\n".join(parts))


class Shape(BaseModel):
    """Of the reply; it is text, and no JSON that a schema describes."""

    type: Literal["text"]


Stop = Annotated[str, Field(min_length=1, max_length=100)]
_Tokens = Annotated[int, Field(ge=1, description="As many at most, counted roughly.")]


class ChatRequest(_Asked):
    """A conversation to go on with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Hello"}]}]
        }
    )

    model: str = Field(max_length=80)
    messages: list[ChatMessage] = Field(min_length=1, max_length=_MAX_MESSAGES)
    stream: bool = False
    n: int = Field(default=1, ge=1, le=1, description="One answer; more are not given.")
    tools: list[Any] | None = Field(default=None, max_length=0, description="None are called.")
    response_format: Shape = Shape(type="text")
    stop: Stop | Annotated[list[Stop], Field(max_length=_MAX_STOPS)] = []
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None

    def ending(self) -> "Ending":
        """Return where the reply is to end."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop
        return Ending(stops, self.max_completion_tokens or self.max_tokens)


class SpeechRequest(_Asked):
    """A text to be spoken."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "tts-1", "input": "Hello, I am new here.", "voice": "alloy"}]
        }
    )

    model: str = Field(max_length=80)
    input: str = Field(min_length=1, max_length=MAX_TEXT)
    voice: str = Field(default="alloy", max_length=80, description="Of /api/v1/voices.")
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    stream_format: Literal["audio"] = "audio"
    speed: float = Field(default=1.0, ge=1.0, le=1.0, description="As it is; no other is spoken.")


class Ending:
    """Finds where a reply ends because whoever asked wants no more of it.

    Args:
        stops: It ends before any of these.
        tokens: And after so many, of `_TOKEN` bytes each; None: however long it is.

    Attributes:
        reached: Why it is over; None as long as it goes on.
    """

    def __init__(self, stops: Sequence[str], tokens: int | None) -> None:
        self._stops = stops
        self._room = None if tokens is None else tokens * _TOKEN
        self._held = ""  # it may become a stop
        self.reached: Finish | None = None

    def push(self, piece: str) -> str:
        """Return what is to be told of the next piece, and of what was held back before it."""
        text = self._held + piece
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.reached = "stop"
            return self._fitting(text[: min(found)])
        told = len(text) - max((_begun(text, stop) for stop in self._stops), default=0)
        self._held = text[told:]
        return self._fitting(text[:told])

    def rest(self) -> str:
        """Return what was held back, as the reply is over."""
        return self._fitting(self._held)

    def _fitting(self, text: str) -> str:
        data = text.encode()
        if self._room is None or len(data) <= self._room:
            self._room = None if self._room is None else self._room - len(data)
            return text
        self.reached = "length"
        return data[: self._room].decode(errors="ignore")


class Completion:
    """One answer in OpenAI's shapes."""

    def __init__(self, model: str, clock: Callable[[], float] = time.time) -> None:
        self._about = {"id": f"chatcmpl-{token_hex(12)}", "created": int(clock()), "model": model}

    def whole(self, text: str, finish: Finish) -> dict[str, Any]:
        """Return all of it."""
        message = {"role": "assistant", "content": text.strip(), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._about, "object": "chat.completion", "choices": [choice]}

    def piece(self, delta: dict[str, str], finish: Finish | None = None) -> dict[str, Any]:
        """Return a piece of it."""
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        return {**self._about, "object": "chat.completion.chunk", "choices": [choice]}


def _begun(text: str, stop: str) -> int:
    """Return how many letters at the end of a text are the beginning of a stop."""
    return next(
        (size for size in range(len(stop) - 1, 0, -1) if text.endswith(stop[:size])),
        0,
    )
