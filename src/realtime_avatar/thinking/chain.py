"""Several chats, of which the next is asked where one has no answer."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from functools import partial
from typing import ClassVar, Final

from anyio import current_time

from realtime_avatar.engines.ports import Chat, ChatEngine, Message
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import AvatarError, CapacityError, ChatError, EngineError, Reason
from realtime_avatar.thinking.reading_ahead import read_ahead

REST: Final = 60.0
"""Seconds for which an engine that failed is not asked, unless it is the last."""

_DOWN: Final[tuple[Reason, ...]] = ("unreachable", "slow", "credentials", "quota")
"""Failures that would meet anybody; others may be of one conversation, and count for it alone."""


class Chain:
    """A chat engine that falls over to the next one, within the same reply.

    Only where nothing was said yet: two halves of different answers make none. And not where
    an answer was refused: the next engine might be less careful. An engine that failed is left
    alone for a while, so that not every answer waits for it.

    Args:
        engines: By name, the favourite first.
        told: Is told of each failure that another engine made good.
        rests: Until when engines rest for all sessions; of all chains of the same engines.
    """

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        engines: dict[str, ChatEngine],
        told: Callable[[AvatarError], None] | None = None,
        rests: dict[str, float] | None = None,
    ) -> None:
        self._engines, self._told = engines, told
        self._rests = {} if rests is None else rests

    def close(self) -> None:
        """Close all of them."""
        for engine in self._engines.values():
            engine.close()

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["ChainedChat"]:
        """Open a session of the first engine that does not rest; others when they are needed."""
        async with AsyncExitStack() as stack:
            doors = {
                name: partial(engine.open, system=system, tools=tools)
                for name, engine in self._engines.items()
            }
            chat = ChainedChat(doors, stack, self._told, self._rests)
            with suppress(CapacityError):  # told when it is asked
                await chat.get(chat.first)
            yield chat


class ChainedChat:
    """One session of `Chain`."""

    def __init__(
        self,
        doors: dict[str, Callable[[], AbstractAsyncContextManager[Chat]]],
        stack: AsyncExitStack,
        told: Callable[[AvatarError], None] | None,
        rests: dict[str, float],
    ) -> None:
        self._doors, self._stack, self._told = doors, stack, told
        self._open: dict[str, Chat] = {}
        self._rests = rests  # until when, for all sessions
        self._own: dict[str, float] = {}  # the same, for this one

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        """Have the engine that is asked first read what is known of a coming request.

        See `ReadsAhead`.
        """
        if self.first in self._open:
            await read_ahead(self._open[self.first], messages)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        """Yield the answer of the first engine that has one.

        Raises:
            EngineError: of the last engine, if none has; of one that had begun.
        """
        *_, last = self._doors
        for name in self._doors:
            if name != last and self._resting(name):
                continue
            said = False
            try:
                chat = await self.get(name)
                async with aclosing(chat.reply(messages)) as pieces:
                    async for piece in pieces:
                        said = said or bool(piece.strip())
                        yield piece
                return
            except (EngineError, CapacityError) as error:
                reason = error.reason if isinstance(error, ChatError) else None
                refused = reason == "blocked"
                if not refused:
                    rests = self._rests if reason in _DOWN else self._own
                    rests[name] = current_time() + REST
                if said or refused or name == last:
                    raise
                if self._told:
                    self._told(error)

    @property
    def first(self) -> str:
        """Name of the engine that is asked first now."""
        *others, last = self._doors
        return next((name for name in others if not self._resting(name)), last)

    def _resting(self, name: str) -> bool:
        return current_time() < max(self._rests.get(name, 0), self._own.get(name, 0))

    async def get(self, name: str) -> Chat:
        """Return an engine's session, opened if it was not.

        Raises:
            CapacityError: if it has no room.
        """
        if name not in self._open:
            self._open[name] = await self._stack.enter_async_context(self._doors[name]())
        return self._open[name]
