"""Answers that are sent while they are being made."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from anyio import Lock, create_task_group, move_on_after
from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from realtime_avatar.errors import CapacityError, leaves

Write = Callable[[bytes], Awaitable[None]]

STALLED: Final = 30.0
"""Seconds that a client may take for what is sent; it holds a place meanwhile."""


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
        lock, begun = Lock(), False

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
                    tasks.cancel_scope.cancel()

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        try:
            async with create_task_group() as tasks:
                tasks.start_soon(listen)
                await self._make(write)
                await write(b"")
                await send({"type": "http.response.body", "body": b""})
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise single(group) from None


class Events:
    """Server-sent events (WHATWG HTML, 9.2): a name and JSON each.

    Args:
        write: Of the answer.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    async def tell(self, event: str, data: dict[str, Any]) -> None:
        text = json.dumps(data, ensure_ascii=False)
        await self._write(format_sse_event(data_str=text, event=event))


def single(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return the error of a group that says most: one full engine is all that matters."""
    found = leaves(group)
    return next((leaf for leaf in found if isinstance(leaf, CapacityError)), found[0])
