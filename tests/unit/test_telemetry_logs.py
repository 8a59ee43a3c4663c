"""What is logged, and what never is."""

import io
import json as json_
import logging
from collections.abc import Generator

import pytest
import structlog

from realtime_avatar.telemetry.logs import set_up_logs

SECRETS = (
    "ava_0123abcd_" + "x" * 43,
    "sk-" + "y" * 40,
    "AIza" + "z" * 35,
    "Authorization: Bearer abcdefghijkl",
    "https://localhost/?key=abcdefghijkl",
)


@pytest.fixture(autouse=True)
def logs_as_before() -> Generator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = kept, level
    structlog.reset_defaults()


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_never_logged(secret: str, json: bool):
    stream = io.StringIO()
    set_up_logs(json=json, stream=stream)
    log = structlog.stdlib.get_logger("realtime_avatar")
    log.info(f"they sent {secret}", header=secret)
    logging.getLogger("somebody.else").warning("got %s", secret)
    try:
        raise ValueError(secret)
    except ValueError as error:
        log.error("it failed", exc_info=error)
    text = stream.getvalue()
    assert text.count("[secret]") >= 4
    assert secret[-8:] not in text
    if json:
        assert [json_.loads(line) for line in text.splitlines()]
