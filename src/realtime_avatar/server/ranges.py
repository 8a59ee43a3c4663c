"""A Range header that makes no sense is passed over, as RFC 9110 (14.2) wants it."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_RANGES: Final = re.compile(r"bytes=([0-9, \t-]+)", re.IGNORECASE)
_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})?|-[0-9]{1,18}")


class Ranges:
    """Drops the header where it is malformed or in units that are not known.

    Args:
        app: The application, whose files would answer it with 400.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not all(map(_valid, Headers(scope=scope).getlist("range"))):
            kept = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def _valid(header: str) -> bool:
    ranges = _RANGES.fullmatch(header.strip())
    parts = [part.strip() for part in ranges[1].split(",")] if ranges else []
    found = [_RANGE.fullmatch(part) for part in parts if part]
    return bool(found) and all(
        one is not None and (not one[2] or int(one[1]) <= int(one[2])) for one in found
    )
