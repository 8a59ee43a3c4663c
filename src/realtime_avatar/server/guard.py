"""Who gets in: every request passes here before anything else sees it."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_avatar.config import Settings
from realtime_avatar.errors import ConfigError
from realtime_avatar.server.keys import Key, Keys
from realtime_avatar.server.rates import Rates, neighbourhood
from realtime_avatar.server.refusals import refusal

COOKIE: Final = "avatar_key"
"""Holds the key of somebody who opened the page with one."""

# What a key must be for. None: any key will do. What is not named here is for "all" only, so
# that a route which somebody adds is closed until it is named.
_SCOPES: Final[tuple[tuple[str, str, str | None], ...]] = (
    ("*", "/api/v1/sessions", "talk"),
    ("*", "/api/v1/socket", "talk"),
    ("*", "/api/v1/conversation", "talk"),
    ("*", "/api/v1/conversations", "memory"),
    ("*", "/api/v1/transcribe", "hear"),
    ("*", "/v1/audio/transcriptions", "hear"),
    ("*", "/api/v1/chat", "chat"),
    ("*", "/v1/chat", "chat"),
    ("*", "/api/v1/speak", "speak"),
    ("*", "/v1/audio/speech", "speak"),
    ("*", "/api/v1/animate", "film"),
    ("*", "/api/v1/generate", "film"),
    ("GET", "/api/v1/videos", None),
    ("GET", "/api/v1/avatars", None),
    ("*", "/api/v1/avatars", "people"),
    ("*", "/api/v1/people", "people"),
    ("GET", "/api/v1/voices", None),
    ("*", "/api/v1/voices", "people"),
    ("GET", "/api/v1/options", None),
    ("GET", "/api/v1/events.schema.json", None),
    ("GET", "/v1/models", None),
    ("*", "/metrics", "operate"),
)
GUARDED: Final = ("/api", "/v1", "/metrics")
"""Where the paths begin for which keys are."""

_UNSAFE: Final = ("DELETE", "PATCH", "POST", "PUT")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_POLICY: Final = 1008  # WebSocket close code


def is_public(settings: Settings) -> bool:
    """Return whether others than this machine can reach the server."""
    if settings.host == "localhost":
        return False
    try:
        return not ip_address(settings.host).is_loopback
    except ValueError:  # a name: whose, nobody knows
        return True


def needs_keys(settings: Settings) -> bool:
    """Return whether whoever asks must show a key."""
    return is_public(settings) if settings.require_keys is None else settings.require_keys


def check_exposure(settings: Settings, keys: Keys) -> None:
    """Return if the server may be started so.

    Raises:
        ConfigError: if it would be open to others, or to nobody, without the owner's saying so.
    """
    if not needs_keys(settings) or keys.valid():
        return
    why = f"{settings.host} can be reached by others" if is_public(settings) else "keys are wanted"
    raise ConfigError(
        f"{why}, and there are no API keys: make one with `avatar keys create NAME`, or let"
        " anybody in with --open-to-anyone"
    )


def same_site(headers: Headers, settings: Settings) -> bool:
    """Return whether a request comes from our own page, a site of `origins`, or no browser."""
    origin = headers.get("origin")
    if origin is None or origin in settings.origins or "*" in settings.origins:
        return True
    return urlsplit(origin).netloc == headers.get("host")


class Guard:
    """Lets requests through that are allowed, as often and as large as is allowed.

    - Without keys, only to names of this machine: a site whose name is made to point here
      (DNS rebinding) gets nothing.
    - Other sites' pages may change nothing, unless they are in `origins`.
    - With keys, a valid one whose scopes allow it, by `Authorization: Bearer` or cookie.
    - Requests and bytes a minute are counted for each key and each address.

    Args:
        app: The application.
        settings: The server's.
        keys: That are valid.
        rates: Of requests and bytes.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, keys: Keys, rates: Rates | None = None
    ) -> None:
        self._app, self._settings, self._keys = app, settings, keys
        self._rates = rates or Rates()
        self._log = structlog.stdlib.get_logger("realtime_avatar")
        self._needs_keys = needs_keys(settings)
        self._by_name = self._needs_keys or is_public(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            who = self._admit(scope)
            await self._app(scope, self._counted(scope, receive, who), send)
        except HTTPException as refused:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _POLICY, "reason": refused.detail})
                return
            answer = refusal(scope["path"], refused.status_code, refused.detail, refused.headers)
            await answer(scope, receive, send)

    def _admit(self, scope: Scope) -> tuple[str, ...]:
        """Return whom what is sent counts for."""
        headers, settings = Headers(scope=scope), self._settings
        method, path = scope.get("method", "GET"), scope["path"]
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not self._by_name and host not in _LOCAL and not host.endswith(".localhost"):
            raise HTTPException(421, f"this server is not {host!r}; ask for localhost")
        if method in _UNSAFE and not same_site(headers, settings):
            raise HTTPException(
                403, "other sites may not do this; the owner can name them in origins"
            )
        if not _within(path, GUARDED):
            return ()
        key = self._key(headers, method, path) if self._needs_keys else None
        address, allowed = (scope.get("client") or ("nowhere", 0))[0], settings.requests_a_minute
        limits = {f"address {neighbourhood(address)}": allowed}
        if key is not None:
            limits[f"key {key.id}"] = key.requests or allowed
        for who, most in limits.items():
            self._take(who, 1, most, "that were too many requests")
        return tuple(limits)

    def _key(self, headers: Headers, method: str, path: str) -> Key:
        kind, _, token = headers.get("authorization", "").partition(" ")
        shown = token.strip() if kind.lower() == "bearer" else _cookie(headers)
        try:
            key = self._keys.find(shown) if shown else None
        except ConfigError as error:
            self._log.error("keys", reason=str(error))
            raise HTTPException(503, "the API keys cannot be read now") from None
        if key is None:
            words = "that API key is not known here, or has expired" if shown else _NO_KEY
            raise HTTPException(401, words, {"WWW-Authenticate": "Bearer"})
        needed = _scope(method, path)
        if needed is not None and not key.allows(needed):
            raise HTTPException(403, f"this API key is not for that; it would need {needed!r}")
        return key

    def _take(self, who: str, amount: float, a_minute: float, words: str) -> None:
        if wait := self._rates.take(f"{who}: {words}", amount, a_minute):
            seconds = str(int(wait) + 1)
            words = f"{words}; please try again in {seconds} s"
            raise HTTPException(429, words, {"Retry-After": seconds})

    def _counted(self, scope: Scope, receive: Receive, who: tuple[str, ...]) -> Receive:
        most, size = self._settings.largest_upload, 0
        if scope["type"] != "http":
            return receive
        told = Headers(scope=scope).get("content-length")
        if told is not None and (not told.isdigit() or int(told) > most):
            raise HTTPException(413, f"more than {most // 1_000_000} MB")
        allowed = self._settings.megabytes_a_minute * 1e6
        for one in who:
            self._take(one, int(told or 0), allowed, "too much was sent")

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:  # the length was a lie, or none was told
                raise HTTPException(413, f"more than {most // 1_000_000} MB")
            if told is None:
                for one in who:
                    self._take(one, len(message.get("body", b"")), allowed, "too much was sent")
            return message

        return counted


_NO_KEY: Final = (
    "an API key is needed: send it as `Authorization: Bearer KEY`, or open the page once with"
    " /?key=KEY"
)


def _scope(method: str, path: str) -> str | None:
    method = "GET" if method == "HEAD" else method
    for known, start, scope in _SCOPES:
        if known in ("*", method) and _within(path, (start,)):
            return scope
    return "all"


def _within(path: str, starts: Iterable[str]) -> bool:
    return any(path == start or path.startswith(f"{start}/") for start in starts)


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookie[COOKIE].value if COOKIE in cookie else ""
