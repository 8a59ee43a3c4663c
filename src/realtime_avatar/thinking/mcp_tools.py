"""Tools of MCP servers (Model Context Protocol), through the official client."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from math import inf
from typing import Any, Final

from anyio import CancelScope, Event, create_memory_object_stream, create_task_group, fail_after

from realtime_avatar.config import McpServer
from realtime_avatar.engines.tools import Tool
from realtime_avatar.errors import EngineError

_WAITING: Final = 16  # jobs for one server
_CONNECT_SECONDS: Final = 20.0  # for one that is slow to start; nobody waits for so long


def load_client() -> None:
    """Import what a connection needs: a second of work, which no event loop has to spare."""
    for name in ("httpx2", "mcp", "mcp.client.streamable_http"):
        import_module(name)


@dataclass(slots=True, eq=False)
class _Job:
    """Something to be asked of the server, and what came of it."""

    ask: Callable[[Any], Awaitable[Any]]
    done: Event = field(default_factory=Event)
    scope: CancelScope = field(default_factory=CancelScope)
    result: Any = None
    error: Exception | None = field(default_factory=lambda: RuntimeError("the connection broke"))

    async def do(self, client: Any) -> None:
        """Ask; no error leaves here."""
        try:
            with self.scope:
                self.result = await self.ask(client)
                self.error = None
        except Exception as error:  # the client's, or its libraries'
            self.error = error
        finally:
            self.done.set()


class McpSource:
    """One server, connected to when it is first needed, and again after its connection broke.

    The connection lives in the task of `run`: whatever becomes of it, no conversation and no
    other server falls with it.

    Args:
        name: How the owner calls it; its tools are called "name_tool".
        server: How to reach it.
    """

    def __init__(self, name: str, server: McpServer) -> None:
        self._name, self._server = name, server
        self._send, self._jobs = create_memory_object_stream[_Job](_WAITING)

    async def run(self) -> None:
        """Do what is asked of it, until cancelled."""
        with self._send, self._jobs:
            async for job in self._jobs:
                if job.scope.cancel_called:  # nobody waits for it any more
                    continue
                try:
                    with fail_after(_CONNECT_SECONDS) as connecting:
                        async with self._connect() as client:
                            connecting.deadline = inf
                            await self._work(client, job)
                except Exception as error:  # it cannot be reached, or its line broke at the end
                    if not job.done.is_set():
                        job.error = error
                        job.done.set()

    async def tools(self) -> list[Tool]:
        """Return what it offers.

        Raises:
            EngineError: if it cannot be reached.
        """
        try:
            listed = await self._ask(lambda client: client.list_tools())
        except Exception as error:
            raise EngineError("chat", f"tools of {self._name!r}: {_words(error)}") from error
        return [
            Tool(
                re.sub(r"[^A-Za-z0-9_-]", "_", f"{self._name}_{tool.name}")[:64],
                tool.description or tool.title or tool.name,
                tool.input_schema,
                partial(self._call, tool.name),
            )
            for tool in listed.tools
        ]

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        try:
            result = await self._ask(lambda client: client.call_tool(name, dict(arguments)))
        except Exception as error:
            raise RuntimeError(_words(error)) from error
        text = "\n".join(part.text for part in result.content if part.type == "text")
        if result.is_error:
            raise RuntimeError(text)
        return text

    async def _ask(self, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        job = _Job(ask)
        await self._send.send(job)
        try:
            await job.done.wait()
        finally:
            job.scope.cancel()
        if job.error:
            raise job.error
        return job.result

    async def _work(self, client: Any, job: _Job) -> None:
        """Do one job after another, several at once, until one finds the line broken."""
        async with create_task_group() as tasks:

            async def do(job: _Job) -> None:
                await job.do(client)
                if not (job.error is None or job.scope.cancel_called or _told(job.error)):
                    tasks.cancel_scope.cancel()

            tasks.start_soon(do, job)
            async for other in self._jobs:
                tasks.start_soon(do, other)

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[Any]:
        import httpx2
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client

        server = self._server
        if server.command:
            environment = {name: value.get_secret_value() for name, value in server.env.items()}
            command, *arguments = server.command
            started = StdioServerParameters(command=command, args=arguments, env=environment)
            async with Client(started) as client:
                yield client
            return
        headers = {name: value.get_secret_value() for name, value in server.headers.items()}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=None) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            yield client


def _told(error: Exception) -> bool:
    """Return whether the server itself said this, so that the line to it stands."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import CONNECTION_CLOSED

    return isinstance(error, MCPError) and error.code != CONNECTION_CLOSED


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
