"""All that a chat may call, as the settings say."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Self

from anyio import create_task_group, to_thread

from realtime_avatar.config import Settings
from realtime_avatar.engines.tools import Tool, Toolbox
from realtime_avatar.errors import AvatarError
from realtime_avatar.thinking.calling import FILLERS
from realtime_avatar.thinking.functions import load_function
from realtime_avatar.thinking.mcp_tools import McpSource


class Tools:
    """The functions, and the connections to MCP servers, which it holds while it is entered.

    Args:
        settings: Which.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources = {name: McpSource(name, server) for name, server in settings.mcp.items()}
        self._functions: list[Tool] = []
        self._loaded = not settings.tools
        self._offered: dict[str, list[Tool]] = {}
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
        """Import the functions. Blocking: run it in a worker thread.

        Raises:
            ConfigError: if one is not there.
        """
        if not self._loaded:
            self._functions = [load_function(name) for name in self._settings.tools]
            self._loaded = True

    async def toolbox(
        self, language: str, told: Callable[[AvatarError], None] | None = None
    ) -> Toolbox | None:
        """Return the tools; None if there are none.

        A server that cannot be reached is left out, and asked again the next time.

        Args:
            language: Of the conversation.
            told: Is told of such a server.

        Raises:
            ConfigError: if a function is not there.
        """
        if not self._loaded:
            await to_thread.run_sync(self.load)
        for name, source in self._sources.items():
            if name not in self._offered:
                try:
                    self._offered[name] = await source.tools()
                except AvatarError as error:
                    if told:
                        told(error)
        tools = [*self._functions, *(tool for found in self._offered.values() for tool in found)]
        if not tools:
            return None
        filler = FILLERS.get(language, FILLERS["en"])
        return Toolbox(tools, filler, self._settings.tool_seconds)
