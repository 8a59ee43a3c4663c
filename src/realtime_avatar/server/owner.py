"""Whose conversations are whose: each browser has a token in a cookie, a program its API key."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from fastapi import Request, Response
from starlette.requests import HTTPConnection

COOKIE: Final = "avatar_owner"

_LENGTH: Final = 32  # characters, at least, of a token that nobody guesses
_YEAR: Final = 365 * 24 * 3600  # seconds


def owner_of(connection: HTTPConnection) -> str:
    """Return the hash of a browser's token, or of a program's API key; empty without one.

    Only the hash is stored: who reads the database cannot list what is somebody's.
    """
    _, _, key = connection.headers.get("authorization", "").partition(" ")
    token = connection.cookies.get(COOKIE, "") or key.strip()
    return sha256(token.encode()).hexdigest() if len(token) >= _LENGTH else ""


def ensure_owner(request: Request, response: Response) -> None:
    """Give a browser a token, if it has none. No script sees it, and no other site's page."""
    if not owner_of(request):
        response.set_cookie(
            COOKIE,
            token_urlsafe(32),
            max_age=_YEAR,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
