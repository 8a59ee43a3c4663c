"""Structured logs: one event a line, with the session's and the turn's id."""

import io
import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

_QUIET = (
    "aiortc", "aioice", "alembic", "google_genai", "httpx2", "libav", "mcp", "openai",
    "python_multipart", "uvicorn",
)  # fmt: skip

# Keys of our own, of OpenAI's protocol and of Google, and whatever is sent as one.
_SECRET = re.compile(r"\b(?:ava_[0-9a-f]{8}_|sk-|AIza|(?:Bearer|key=) ?)[\w.~+/-]{8,}=*")


def hide_secrets(logger: object, method: str, event: EventDict) -> EventDict:
    """Replace all that looks like a key in an event; a processor of structlog's."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _SECRET.sub("[secret]", value)
    return event


def _plain_traceback(stream: TextIO, error: ExcInfo) -> None:
    """Write a traceback without local variables, which hold what was said, and without keys."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write(_SECRET.sub("[secret]", text.getvalue()))


def set_up_logs(*, json: bool, stream: TextIO = sys.stderr) -> None:
    """Send our own logs, and those of the libraries, to one place.

    Args:
        json: One JSON object a line, rather than lines for people.
        stream: Where to.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        hide_secrets,
    ]
    if json:
        last += [
            structlog.processors.format_exc_info,
            hide_secrets,
            structlog.processors.JSONRenderer(),
        ]
    else:
        last.append(
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=_plain_traceback
            )
        )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
