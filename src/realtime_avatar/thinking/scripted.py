"""Chats that give fixed answers: for kiosks, demonstrations and measurements."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, Final

from anyio import current_time, sleep_until
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import InputError

# A word with the white space around it; where words are not spaced apart, one character.
_UNSPACED: Final = r"\u3040-\u30ff\u3400-\u9fff"
_PIECE: Final = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)\s*")

Reply = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Options(BaseModel):
    """Settings of the engine.

    Attributes:
        replies: What is answered to the first, second, … message of a conversation; after
            the last one comes the first again.
        pace: Pieces (words, or Chinese characters) a second, like a language model that
            writes so fast; 0 gives them all at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replies: tuple[Reply, ...] = Field(min_length=1)
    pace: float = Field(0, ge=0, le=10_000)


class Scripted:
    """Answers out of a list, whatever is asked."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(Options)

    def close(self) -> None:
        """Nothing is held."""

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["Scripted"]:
        """Open a session. Nothing is held for it: the messages say how far it has come."""
        yield self

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer to the last message, piece by piece.

        Raises:
            InputError: if there is no message.
        """
        asked = sum(message.role == "user" for message in messages)
        if not asked:
            raise InputError("there is nothing to answer")
        text = self._options.replies[(asked - 1) % len(self._options.replies)]
        start, pace = current_time(), self._options.pace
        for number, piece in enumerate(_PIECE.findall(text)):
            await sleep_until(start + number / pace if pace else start)
            yield piece
