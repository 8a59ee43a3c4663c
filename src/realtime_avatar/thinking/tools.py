"""All that a chat may call, as the settings say."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from anyio import Lock, create_task_group, current_time, fail_after, to_thread

from realtime_avatar.config import Settings
from realtime_avatar.engines.tools import Tool, Toolbox
from realtime_avatar.errors import AvatarError, EngineError
from realtime_avatar.thinking.calling import FILLERS
from realtime_avatar.thinking.functions import load_function
from realtime_avatar.thinking.mcp_tools import McpSource, load_client

PATIENCE: Final = 5.0
"""Seconds that anybody waits for a server to say what it offers, or `tool_seconds`, if fewer."""

REST: Final = 60.0
"""Seconds for which a server that failed at that is not asked again."""


class Tools:
    """The functions, and the connections to MCP servers, which it holds while it is entered.

    Args:
        settings: Which.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources = {name: McpSource(name, server) for name, server in settings.mcp.items()}
        self._functions: list[Tool] = []
        self._loaded = not (settings.tools or settings.mcp)
        self._offered: dict[str, list[Tool]] = {}
        self._locks = {name: Lock() for name in self._sources}
        self._rests: dict[str, float] = {}  # until when
        self._untold: dict[str, AvatarError] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._sources:
            tasks = await self._stack.enter_async_context(create_task_group())
            self._stack.callback(tasks.cancel_scope.cancel)
            for source in self._sources.values():
                tasks.start_soon(source.run)
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._stack.aclose()

    def load(self) -> None:
        """Import the functions, and the client. Blocking: run it in a worker thread.

        Raises:
            ConfigError: if one is not there.
        """
        if not self._loaded:
            if self._sources:
                load_client()
            self._functions = [load_function(name) for name in self._settings.tools]
            self._loaded = True

    async def connect(self) -> None:
        """Ask the servers what they offer, side by side, unless that is known or was just tried.

        Raises:
            ConfigError: if a function is not there.
        """
        if not self._loaded:
            await to_thread.run_sync(self.load)
        async with create_task_group() as tasks:
            for name in self._sources:
                tasks.start_soon(self._ask, name)

    async def _ask(self, name: str) -> None:
        async with self._locks[name]:  # who else wants to know waits for the same answer
            if name in self._offered or current_time() < self._rests.get(name, 0):
                return
            seconds = min(PATIENCE, self._settings.tool_seconds)
            try:
                with fail_after(seconds):
                    self._offered[name] = await self._sources[name].tools()
                self._untold.pop(name, None)
                return
            except TimeoutError:
                said = f"tools of {name!r}: no answer within {seconds:g} seconds"
                self._untold[name] = EngineError("chat", said)
            except AvatarError as error:
                self._untold[name] = error
            self._rests[name] = current_time() + REST

    async def toolbox(
        self, language: str, told: Callable[[AvatarError], None] | None = None
    ) -> Toolbox | None:
        """Return the tools; None if there are none.

        A server that fails is left out, and for a minute left alone.

        Args:
            language: Of the conversation.
            told: Is told of such a server, unless somebody was.

        Raises:
            ConfigError: if a function is not there.
        """
        await self.connect()
        tools = list(self._functions)
        for name in self._sources:
            tools += self._offered.get(name, ())
            if told and name in self._untold:
                told(self._untold.pop(name))
        if not tools:
            return None
        filler = FILLERS.get(language, FILLERS["en"])
        return Toolbox(tools, filler, self._settings.tool_seconds)
