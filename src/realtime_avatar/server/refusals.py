"""How errors are answered: {"error": sentence}, or as OpenAI does where its clients ask."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from realtime_avatar.errors import (
    AvatarError,
    CapacityError,
    ConfigError,
    ConsentError,
    EngineError,
    InputError,
    ModelMissing,
    Reason,
    RemoteError,
    StoreError,
)
from realtime_avatar.identity.store import UnknownConversation
from realtime_avatar.server.streamed import single

OPENAI: Final = "/v1/"
"""Where the routes begin that OpenAI's clients know."""


class Absent(AvatarError):
    """There is nothing of that name here; HTTP 404."""


_STATUS: Final[dict[type[AvatarError], int]] = {
    Absent: 404,
    UnknownConversation: 404,
    InputError: 422,
    ConfigError: 422,
    ModelMissing: 422,
    ConsentError: 403,
    CapacityError: 503,
    StoreError: 503,
}
_NO_ANSWER: Final[dict[Reason, tuple[int, float]]] = {
    "blocked": (422, 0),
    "quota": (429, 60),
    "credentials": (503, 60),
    "unreachable": (503, 10),
    "slow": (503, 10),
    "failed": (503, 10),
}
"""Statuses where another machine has no answer, and when to try again, seconds; 0: never."""

_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Problem(BaseModel):
    """What went wrong, in one sentence."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"error": "nobody is heard to speak in the recording"}}
    )

    error: str


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "What was sent cannot be read."},
    401: {"model": Problem, "description": "No key, or one that is not known (any more)."},
    403: {"model": Problem, "description": "The key does not allow this."},
    404: {"model": Problem, "description": "Not here, or no longer."},
    406: {"model": Problem, "description": "This cannot be had as the types that are accepted."},
    413: {"model": Problem, "description": "Too large."},
    422: {"model": Problem, "description": "What was sent cannot be used, and why."},
    429: {
        "model": Problem,
        "description": "Too many requests, here or of a machine that is asked for the answer;"
        " Retry-After says for how long.",
    },
    500: {"model": Problem, "description": "A stage failed at its work."},
    503: {
        "model": Problem,
        "description": "Too busy, or another machine that is asked does not answer;"
        " Retry-After says for how long.",
    },
}
"""What every route may answer, for OpenAPI."""


def refuse_in_words(app: FastAPI) -> None:
    """Have an application answer all errors so."""
    app.add_exception_handler(AvatarError, _avatar)
    app.add_exception_handler(ExceptionGroup, _group)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _broken)


def refusal(
    path: str, status: int, words: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Return the answer to a request that failed.

    Args:
        path: That was asked for.
        status: HTTP's.
        words: One sentence.
        headers: More of them.
        more: What OpenAI's clients are told besides, say `code`.
    """
    if not path.startswith(OPENAI):
        return JSONResponse({"error": words}, status, headers)
    return JSONResponse(openai_error(status, words, **more), status, headers)


def openai_error(status: int, words: str, **more: Any) -> dict[str, Any]:
    """Return what OpenAI's clients are told of an error; see `refusal`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": words, "type": kind, "param": None, "code": None, **more}}


def status_of(error: AvatarError) -> tuple[int, float]:
    """Return the status that answers an error, and when to try again, seconds; 0: never."""
    if isinstance(error, RemoteError):
        return _NO_ANSWER[error.reason]
    known = (code for kind, code in _STATUS.items() if isinstance(error, kind))
    return next(known, 500), error.retry_after if isinstance(error, CapacityError) else 0


async def _avatar(request: Request, error: Exception) -> Response:
    assert isinstance(error, AvatarError)
    path, (status, wait) = request.url.path, status_of(error)
    if status == 422 and path.startswith(OPENAI):
        status = 400
    headers = {"Retry-After": str(max(1, round(wait)))} if wait else {}
    if isinstance(error, EngineError):
        log = structlog.stdlib.get_logger("realtime_avatar")
        log.error("request failed", path=path, reason=str(error))
    code = "model_not_found" if isinstance(error, Absent) else None
    return refusal(path, status, str(error), headers, code=code)


async def _group(request: Request, error: Exception) -> Response:
    assert isinstance(error, ExceptionGroup)
    leaf = single(error)
    if isinstance(leaf, AvatarError):
        return await _avatar(request, leaf)
    raise leaf


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    words = f"{where}: {first['msg']}".removeprefix(": ")
    status = 400 if request.url.path.startswith(OPENAI) else 422
    return refusal(request.url.path, status, words, param=where or None)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(request.url.path, error.status_code, error.detail, error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    structlog.stdlib.get_logger("realtime_avatar").error(
        "request failed", path=request.url.path, exc_info=error
    )
    return refusal(request.url.path, 500, "something went wrong on the server")
