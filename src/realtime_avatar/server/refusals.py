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
    InputError,
    ModelMissing,
    StoreError,
)
from realtime_avatar.identity.store import UnknownConversation
from realtime_avatar.server.streamed import single

OPENAI: Final = "/v1/"
"""Where the routes begin that OpenAI's clients know."""

_STATUS: Final[dict[type[AvatarError], int]] = {
    UnknownConversation: 404,
    InputError: 422,
    ConfigError: 422,
    ModelMissing: 422,
    ConsentError: 403,
    CapacityError: 503,
    StoreError: 503,
}
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


class Absent(AvatarError):
    """There is nothing of that name here; HTTP 404."""


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "What was sent cannot be read."},
    401: {"model": Problem, "description": "No key, or one that is not known (any more)."},
    403: {"model": Problem, "description": "The key does not allow this."},
    404: {"model": Problem, "description": "Not here, or no longer."},
    406: {"model": Problem, "description": "This cannot be had as the types that are accepted."},
    413: {"model": Problem, "description": "Too large."},
    422: {"model": Problem, "description": "What was sent cannot be used, and why."},
    429: {"model": Problem, "description": "Too many requests; Retry-After says for how long."},
    500: {"model": Problem, "description": "A stage failed at its work."},
    503: {"model": Problem, "description": "Too busy now; Retry-After says for how long."},
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
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": words, "type": kind, "param": None, "code": None, **more}
    return JSONResponse({"error": error}, status, headers)


async def _avatar(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, Absent) else 500
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), status)
    headers, code = dict[str, str](), None
    if status == 422 and request.url.path.startswith(OPENAI):
        status = 400
    if isinstance(error, CapacityError):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == 500:
        structlog.stdlib.get_logger("realtime_avatar").error(
            "request failed", path=request.url.path, reason=str(error)
        )
    if isinstance(error, Absent):
        code = "model_not_found"
    return refusal(request.url.path, status, str(error), headers, code=code)


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
