"""Programs' requests are counted in before their bodies are read."""

from typing import Final

from anyio import move_on_after
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime_avatar.server.admission import Admission
from realtime_avatar.server.refusals import refusal

JOBS: Final = frozenset(
    {
        *("/api/v1/transcribe", "/api/v1/chat", "/api/v1/speak", "/api/v1/animate"),
        *("/api/v1/generate", "/api/v1/conversation", "/api/v1/conversation/stream"),
        *("/v1/audio/transcriptions", "/v1/audio/speech", "/v1/chat/completions"),
    }
)
"""Paths whose requests `Admission` gives places to."""

_PATIENCE: Final = 10.0  # seconds for a body that nobody wants


class Door:
    """Lets in as many as may work and wait; the others are told to come again.

    To take a form apart is work for the event loop, and a crowd's forms would keep everybody
    else from being answered. What is refused is let run out unread, because many clients
    do not look for an answer before they have sent everything.

    Args:
        app: The application.
        admission: Of the service.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in JOBS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if full := self._admission.full():
            await _discard(receive)
            retry = {"Retry-After": str(max(1, round(full.retry_after)))}
            await refusal(scope["path"], 503, str(full), retry)(scope, receive, send)
            return
        with self._admission.entered():
            await self._app(scope, receive, send)


async def _discard(receive: Receive) -> None:
    with move_on_after(_PATIENCE):
        while (await receive()).get("more_body"):
            pass
