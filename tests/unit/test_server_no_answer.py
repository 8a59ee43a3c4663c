"""A chat on another server that has no answer, as programs are told of it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, get_args

import pytest
from httpx2 import Response

from live import Site, open_site
from realtime_avatar.bench.stand_in import Answer, StandIn, Then, serve, sse
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.errors import ChatError, Reason, RemoteError
from realtime_avatar.server.refusals import REFUSALS, status_of
from realtime_avatar.thinking.apology import SENTENCES

pytestmark = pytest.mark.anyio

OPENAI = "/v1/chat/completions"
ASKED: dict[str, dict[str, Any]] = {
    "/api/v1/chat": {"json": {"text": "Hi"}},
    "/api/v1/conversation": {
        "files": {"audio": ("x", bundled("questions/en.flac").read_bytes())},
    },
    OPENAI: {"json": {"model": "avatar", "messages": [{"role": "user", "content": "Hi"}]}},
}


def delta(content: str = "", finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return sse({**chunk, "choices": [choice]})


def refusing(status: int) -> Answer:
    return Answer([json.dumps({"error": {"message": "no"}}).encode()], status)


HELD_BACK = Answer([delta(finish="content_filter"), b"data: [DONE]\n\n"])
BROKEN_OFF = Answer([delta("So "), delta("it is"), Then.CUT])


@asynccontextmanager
async def thinking_elsewhere() -> AsyncGenerator[tuple[Site, StandIn]]:
    async with serve() as server:
        engine = {"base_url": f"{server.url}/v1", "api_key": "k"}
        async with open_site(chat="openai", engines={"openai": engine}) as site:
            yield site, server


def words(response: Response) -> str:
    error = response.json()["error"]
    return error if isinstance(error, str) else error["message"]


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(("answer", "status"), [(429, 429), (401, 503), (500, 503)])
async def test_a_chat_that_fails_is_no_failure_of_this_server(path: str, answer: int, status: int):
    async with thinking_elsewhere() as (site, server):
        server.answers.extend([refusing(answer)] * 3)
        response = await site.http.post(path, **ASKED[path])
    assert response.status_code == status
    assert int(response.headers["retry-after"]) >= 1
    assert f"answered {answer}" in words(response)


async def test_what_the_chat_refuses_is_refused_in_words():
    async with thinking_elsewhere() as (site, server):
        server.answers.extend([HELD_BACK] * 2)
        for path in ("/api/v1/chat", "/api/v1/conversation"):
            response = await site.http.post(path, **ASKED[path])
            assert response.status_code == 422
            assert "held back" in words(response)
            assert "retry-after" not in response.headers


async def test_openais_clients_know_why_there_is_no_answer():
    async with thinking_elsewhere() as (site, server):
        server.answers.extend([HELD_BACK] * 2)
        whole = (await site.http.post(OPENAI, **ASKED[OPENAI])).json()["choices"][0]
        assert whole["finish_reason"] == "content_filter"
        assert whole["message"]["content"] == SENTENCES["en"]["blocked"]
        *pieces, last, done = await streamed(site)
    assert [piece["choices"][0]["delta"]["content"] for piece in pieces] == [
        SENTENCES["en"]["blocked"]
    ]
    assert last["choices"][0]["finish_reason"] == "content_filter"
    assert done == "[DONE]"


async def test_a_stream_of_openais_that_breaks_off_ends_with_an_error():
    async with thinking_elsewhere() as (site, server):
        server.answers.append(BROKEN_OFF)
        *pieces, error = await streamed(site)
        assert site.service.admission.running == 0
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in pieces) == "So it is"
    assert list(error) == ["error"]
    assert error["error"]["type"] == "server_error"
    assert "chat" in error["error"]["message"]


async def streamed(site: Site) -> list[Any]:
    asked = {**ASKED[OPENAI]["json"], "stream": True}
    response = await site.http.post(OPENAI, json=asked)
    assert response.status_code == 200
    told = [line.removeprefix("data: ") for line in response.text.strip().split("\n\n")]
    return [line if line == "[DONE]" else json.loads(line) for line in told]


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_a_documented_status(reason: Reason):
    for error in (ChatError(reason, "x"), RemoteError("voice", reason, "x")):
        status, wait = status_of(error)
        assert status in REFUSALS
        assert status < 500 or (status == 503 and wait > 0)
