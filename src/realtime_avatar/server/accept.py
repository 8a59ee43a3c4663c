"""Which of several types a client would rather have (RFC 9110, 12.5.1)."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request


def preferred(request: Request, offered: Sequence[str]) -> str:
    """Return the type to answer with, the first that is offered when in doubt.

    Raises:
        HTTPException: 406, if the client wants none of them.
    """
    header = ", ".join(request.headers.getlist("accept")) or "*/*"
    wishes = dict[str, float]()
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        wishes[name] = _quality(parameters)
    best = max(offered, key=lambda kind: _wish(kind, wishes))
    if _wish(best, wishes) <= 0:
        raise HTTPException(406, f"this can be had as {' or '.join(offered)} only")
    return best


def _wish(kind: str, wishes: dict[str, float]) -> float:
    ranges = (kind, f"{kind.split('/')[0]}/*", "*/*")
    return next((wishes[name] for name in ranges if name in wishes), 0.0)


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
