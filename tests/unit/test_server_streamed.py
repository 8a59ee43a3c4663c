"""Answers that are sent while they are being made."""

from typing import Any

import pytest
from anyio import Event, create_task_group, current_time, sleep, sleep_forever
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from realtime_avatar.errors import CapacityError, EngineError, InputError
from realtime_avatar.media.subtitles import srt, vtt
from realtime_avatar.server.accept import preferred
from realtime_avatar.server.streamed import STALLED, Events, Made, Streamed, Write, single, telling
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


class Client:
    """Somebody who asked, and may leave or stop reading."""

    def __init__(self) -> None:
        self.left, self.reads = Event(), True
        self.status = 0
        self.body = b""
        self.ended = False

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if not self.reads:
            await sleep_forever()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message["body"]
            self.ended = not message.get("more_body", False)

    async def get(self, answer: Response) -> None:
        await answer({"type": "http"}, self.receive, self.send)


async def test_what_is_written_is_sent_at_once():
    client = Client()

    async def make(write: Write) -> None:
        await write(b"one ")
        assert client.body == b"one "
        await Events(write).tell("word", {"text": "zwei\n"})

    await client.get(Streamed(make, "text/plain"))
    assert client.body == b'one event: word\ndata: {"text": "zwei\\n"}\n\n'
    assert (client.status, client.ended) == (200, True)


async def test_what_goes_wrong_before_the_first_piece_is_no_answer_yet():
    async def make(write: Write) -> None:
        raise InputError("no")

    client = Client()
    with pytest.raises(InputError):
        await client.get(Streamed(make, "text/plain"))
    assert client.status == 0


async def test_a_client_that_leaves_ends_the_work():
    client, ended = Client(), Event()

    async def make(write: Write) -> None:
        try:
            await write(b"a")
            await sleep_forever()
        finally:
            ended.set()

    async with create_task_group() as tasks:
        tasks.start_soon(client.get, Streamed(make, "text/plain"))
        await sleep(1)
        assert not ended.is_set()
        client.left.set()
    assert ended.is_set()
    assert not client.ended


async def test_what_is_made_first_is_sent_whole():
    client = Client()

    async def make() -> Response:
        await sleep(1)
        return PlainTextResponse("done")

    await client.get(Made(make))
    assert (client.status, client.body) == (200, b"done")


async def test_what_goes_wrong_while_it_is_made_is_no_answer_yet():
    async def make() -> Response:
        raise ExceptionGroup("", [EngineError("face", "x"), CapacityError("full", 3)])

    client = Client()
    with pytest.raises(CapacityError):
        await client.get(Made(make))
    assert client.status == 0


async def test_nothing_is_made_for_a_client_that_has_left():
    client, began = Client(), current_time()

    async def make() -> Response:
        await sleep(100)
        return PlainTextResponse("done")

    async with create_task_group() as tasks:
        tasks.start_soon(client.get, Made(make))
        await sleep(1)
        client.left.set()
    assert current_time() - began == pytest.approx(1)
    assert client.status == 0


async def test_what_goes_wrong_later_is_told_by_a_last_piece():
    client = Client()

    async def make(write: Write) -> None:
        await write(b"a")
        raise ExceptionGroup("", [InputError("no")])

    await client.get(Streamed(telling(make, lambda error: str(error).encode()), "text/plain"))
    assert (client.body, client.ended) == (b"ano", True)


async def test_a_client_that_does_not_read_ends_it_too():
    client, pieces = Client(), 0

    async def make(write: Write) -> None:
        nonlocal pieces
        await write(b"a")
        client.reads = False
        while True:
            pieces += 1
            await write(b"a")

    began = current_time()
    await client.get(Streamed(make, "text/plain"))
    assert current_time() - began == pytest.approx(STALLED)
    assert pieces <= 2


def test_a_full_engine_is_the_error_that_counts():
    full = CapacityError("full", 3)
    assert (
        single(ExceptionGroup("", [EngineError("face", "x"), ExceptionGroup("", [full])])) is full
    )


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "a/json"),
        ("*/*", "a/json"),
        ("b/mp4", "b/mp4"),
        ("b/*", "b/mp4"),
        ("a/json;q=0.5, b/mp4", "b/mp4"),
        ("a/json, b/mp4;q=0.5", "a/json"),
        ("b/mp4;q=0, */*", "a/json"),
        ("text/html, */*;q=0.1", "a/json"),
        ("text/html", None),
        ("a/json;q=0", None),
        ("a/json;q=x", None),
    ],
)
def test_a_client_gets_what_it_would_rather_have(accept: str, kind: str | None):
    headers = [(b"accept", accept.encode())] if accept else []
    request = Request({"type": "http", "headers": headers})
    if kind is None:
        with pytest.raises(HTTPException):
            preferred(request, ("a/json", "b/mp4"))
    else:
        assert preferred(request, ("a/json", "b/mp4")) == kind


def test_words_become_subtitles():
    lines = [(0.0, 1.5, "Hello."), (3661.25, 3662.0, "Bye.")]
    assert srt(lines) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,250 --> 01:01:02,000\nBye.\n"
    )
    assert vtt(lines).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n")
