"""Whatever a page sends on the event channel, the session lives, and so does the server.

`AVATAR_CASES=10000 pytest -m load tests/integration/test_event_channel.py` sends as many.
"""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from realtime_avatar.bench.live_server import ask
from realtime_avatar.server.socket import HEADER

CASES = int(os.environ.get("AVATAR_CASES", "10000"))
FRAMES = 20  # of a case, at most; each is counted as one


def frame_of(kind: int, flags: int, at: int, payload: bytes) -> bytes:
    return HEADER.pack(kind, flags, at) + payload


def hello_with(more: dict[str, Any]) -> str:
    return json.dumps({"video": "vp8"} | more)


PLAIN: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=6
)
COMMANDS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"type": st.sampled_from(["say", "stop", "listen", "language", "restart", "heard", "x"])},
    optional={
        "text": st.text(max_size=30) | JSON,
        "mode": st.sampled_from(["always", "never", "talk", "?"]) | JSON,
        "language": st.sampled_from(["", "en", "zh", "xx"]) | JSON,
        "more": JSON,
    },
)
DEEP = st.integers(1, 5000).map("[".__mul__)
TEXTS = COMMANDS.map(json.dumps) | JSON.map(json.dumps) | st.text(max_size=50) | DEEP
BINARIES = st.binary(max_size=60) | st.builds(
    frame_of,
    st.integers(0, 4),
    st.integers(0, 255),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=200),
)
HELLOS = st.one_of(
    st.just('{"video": "vp8"}'),
    st.just('{"video": "h264", "language": "en"}'),
    st.builds(hello_with, st.dictionaries(st.text(), JSON)),
    TEXTS,
    BINARIES,
)


def events_of(line: ClientConnection, last: str) -> list[dict[str, Any]]:
    """Return the events until one of a kind."""
    told = list[dict[str, Any]]()
    while not told or told[-1]["type"] != last:
        if isinstance(frame := line.recv(timeout=30), str):
            told.append(json.loads(frame))
    return told


def converse(url: str, send: list[str | bytes]) -> None:
    """Send frames into a session; then have a turn, as if nothing had been."""
    with connect(f"ws{url[4:]}/api/v1/socket", max_size=None) as line:
        line.send('{"video": "vp8"}')
        events_of(line, "opened")
        for frame in send:
            line.send(frame)
        line.send('{"type": "listen", "mode": "never"}')
        line.send('{"type": "restart"}')
        line.send('{"type": "say", "text": "are you there"}')
        told = list[dict[str, Any]]()
        while not any(event.get("heard") == "You said: are you there" for event in told):
            told += events_of(line, "finished")
        assert not any(event.get("fatal") for event in told)


def send_cases(url: str, cases: int) -> None:
    shape = settings(
        max_examples=max(2, cases // FRAMES),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
    )

    @shape
    @given(st.lists(TEXTS | BINARIES, min_size=FRAMES // 2, max_size=FRAMES))
    def run(send: list[str | bytes]) -> None:
        converse(url, send)

    @shape
    @given(HELLOS)
    def greet(hello: str | bytes) -> None:
        try:
            with connect(f"ws{url[4:]}/api/v1/socket", max_size=None) as line:
                line.send(hello)
                assert json.loads(line.recv(timeout=30))["type"] in ("opened", "problem")
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code not in (1000, 1003, 1007, 1009):
                raise

    run()
    greet()
    converse(url, [])
    assert ask(f"{url}/health")["status"] == "alive"


def test_a_session_survives_its_page(fake_server: str):
    send_cases(fake_server, 200)


@pytest.mark.load
def test_it_survives_ten_thousand_frames(fake_server: str):
    send_cases(fake_server, CASES)
