"""Answers that are made for as long as the client waits, and sent at the end or meanwhile."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from anyio import CancelScope, Lock, create_task_group, move_on_after
from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from realtime_avatar.errors import AvatarError, CapacityError, leaves

T = TypeVar("T")
Write = Callable[[bytes], Awaitable[None]]

STALLED: Final = 30.0
"""Seconds that a client may take for what is sent; it holds a place meanwhile."""


class Made(Response):
    """An answer that is sent when it has been made, if the client is still there.

    Whatever is raised meanwhile is answered like any other error. A client that goes away ends
    the work.

    Args:
        make: Returns the answer.
    """

    def __init__(self, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _attended(receive, self._make)
        if answer is not None:
            await answer(scope, receive, send)


class Streamed(Response):
    """An answer whose body a function writes, piece by piece.

    The status is sent with the first piece, so that whatever is raised before it is answered
    like any other error. A client that goes away ends the work.

    Args:
        make: Writes the body.
        media_type: Its type.
        headers: More of them.
    """

    def __init__(
        self,
        make: Callable[[Write], Awaitable[None]],
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lock, begun, work = Lock(), False, CancelScope()

        async def write(data: bytes) -> None:
            nonlocal begun
            async with lock:
                if not begun:
                    begun = True
                    start = {"type": "http.response.start", "status": self.status_code}
                    await send({**start, "headers": self.raw_headers})
                with move_on_after(STALLED) as taking:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                if taking.cancelled_caught:
                    work.cancel()

        async def write_all() -> None:
            with work:
                await self._make(write)
                await write(b"")
                await send({"type": "http.response.body", "body": b""})

        await _attended(receive, write_all)


class Events:
    """Server-sent events (WHATWG HTML, 9.2): a name and JSON each.

    Args:
        write: Of the answer.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    async def tell(self, event: str, data: dict[str, Any]) -> None:
        await self._write(event_of(event, data))


def event_of(event: str, data: dict[str, Any]) -> bytes:
    """Return a server-sent event."""
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False), event=event)


def telling(
    make: Callable[[Write], Awaitable[None]], told: Callable[[AvatarError], bytes]
) -> Callable[[Write], Awaitable[None]]:
    """Return the same, but what goes wrong after the first piece is told by a last one.

    Args:
        make: Writes the body of a `Streamed`.
        told: Returns that piece.
    """

    async def make_or_tell(write: Write) -> None:
        begun = False

        async def noting(data: bytes) -> None:
            nonlocal begun
            begun = True
            await write(data)

        try:
            await make(noting)
        except (AvatarError, ExceptionGroup) as error:
            cause = single(error) if isinstance(error, ExceptionGroup) else error
            if not begun or not isinstance(cause, AvatarError):
                raise
            await write(told(cause))

    return make_or_tell


async def _attended(receive: Receive, work: Callable[[], Awaitable[T]]) -> T | None:
    """Return what some work returns; None if the client has gone, with which the work ends."""
    try:
        async with create_task_group() as tasks:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            result = await work()
            tasks.cancel_scope.cancel()
            return result
    except ExceptionGroup as group:
        raise single(group) from None


def single(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the error of a group that says most: one full engine is all that matters."""
    found = leaves(group)
    return next((leaf for leaf in found if isinstance(leaf, CapacityError)), found[0])
