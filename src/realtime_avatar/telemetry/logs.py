"""Structured logs: one event a line, with the session's and the turn's id."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

_QUIET = ("aiortc", "aioice", "google_genai", "httpx2", "libav", "mcp", "openai", "uvicorn")


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
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if json:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Not the default traceback, which shows local variables: what was said, for one.
        plain = structlog.dev.plain_traceback
        last.append(
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
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
