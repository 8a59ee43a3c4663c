import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from realtime_avatar.bench.stand_in import (
    Answer,
    StandIn,
    Then,
    event,
    refusing,
    saying,
    serve,
    sse,
)
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.tools import Tool, Toolbox
from realtime_avatar.errors import ChatError, InputError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.gemini import Gemini

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nobody_at_google")]

ASKED = [
    Message("system", "You are Ava."),
    Message("user", "Hi."),
    Message("assistant", "Hello!"),
    Message("user", "Where is Paris?"),
    Message("user", "Tell me."),
]


@pytest.fixture
async def server() -> AsyncGenerator[StandIn]:
    async with serve() as server:
        yield server


def gemini(server: StandIn, **options: Any) -> Gemini:
    return Gemini(
        Context(ModelStore(), options={"base_url": server.url, "api_key": "secret-key"} | options)
    )


async def answer(engine: Gemini, tools: Toolbox | None = None) -> str:
    async with engine.open(tools=tools) as chat:
        return "".join([piece async for piece in chat.reply(ASKED)])


async def fails(engine: Gemini) -> tuple[ChatError, str]:
    """Ask, and return the error and what came before it."""
    said = ""
    async with engine.open() as chat:
        with pytest.raises(ChatError) as failed:
            async for piece in chat.reply(ASKED):
                said += piece
    assert "secret-key" not in str(failed.value)
    return failed.value, said


async def test_by_key_the_conversation_is_sent_and_the_answer_streamed(server: StandIn):
    server.answers.append(saying("It is ", "in France.", ""))
    assert await answer(gemini(server)) == "It is in France."
    [request] = server.requests
    assert "/models/gemini-3.8-flash:streamGenerateContent" in request.path
    assert request.headers["x-goog-api-key"] == "secret-key"
    assert "secret-key" not in request.path
    assert [
        (content["role"], [part["text"] for part in content["parts"]])
        for content in request.body["contents"]
    ] == [("user", ["Hi."]), ("model", ["Hello!"]), ("user", ["Where is Paris?", "Tell me."])]
    assert request.body["systemInstruction"]["parts"] == [{"text": "You are Ava."}]
    assert request.body["generationConfig"]["thinkingConfig"] == {"thinking_level": "LOW"}
    assert "temperature" not in request.body["generationConfig"]


async def test_an_older_model_is_not_told_how_much_to_think(server: StandIn):
    assert await answer(gemini(server, model="gemini-2.5-flash", thinking="unset"))
    [request] = server.requests
    assert "gemini-2.5-flash" in request.path
    assert "thinkingConfig" not in request.body["generationConfig"]


async def test_the_key_may_stand_in_the_environment(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GEMINI_API_KEY", "from-outside")
    assert await answer(gemini(server, api_key=None))
    assert server.requests[0].headers["x-goog-api-key"] == "from-outside"


async def test_vertex_takes_application_default_credentials(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "ava@example.org",
        "private_key": key.decode(),
        "token_uri": f"{server.url}/token",
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setenv("GOOGLE_API_KEY", "not this one")
    engine = gemini(server, api_key=None, project="mine", location="europe-west4")
    assert await answer(engine) == "Paris is the capital of France."
    [request] = server.requests
    where = "projects/mine/locations/europe-west4/publishers/google/models/gemini-3.8-flash"
    assert f"{where}:streamGenerateContent" in request.path
    assert request.headers["authorization"] == "Bearer token-1"
    assert "x-goog-api-key" not in request.headers


async def test_vertex_without_credentials_says_so(server: StandIn):
    error, _ = await fails(gemini(server, api_key=None, project="mine"))
    assert error.reason == "credentials"
    assert server.requests == []


async def test_without_a_key_it_says_what_to_set(server: StandIn):
    error, _ = await fails(gemini(server, api_key=None))
    assert error.reason == "credentials"
    assert "GEMINI_API_KEY" in str(error)


async def test_what_it_thinks_is_not_said(server: StandIn):
    thought = {"text": "The user wants Paris.", "thought": True}
    parts = {"content": {"role": "model", "parts": [thought]}}
    server.answers.append(Answer([sse({"candidates": [parts]}), event("Hi.", finish="STOP")]))
    assert await answer(gemini(server)) == "Hi."


async def test_a_chunk_may_come_in_halves_of_lines(server: StandIn):
    whole = event("Ça va ", finish="") + event("很好。", finish="STOP")
    server.answers.append(Answer([whole[at : at + 7] for at in range(0, len(whole), 7)]))
    assert await answer(gemini(server)) == "Ça va 很好。"


@pytest.mark.parametrize(
    ("refusal", "reason", "words"),
    [
        (refusing(429, "Quota exceeded", "RESOURCE_EXHAUSTED"), "quota", "429"),
        (refusing(500, "Internal error", "INTERNAL"), "unreachable", "500"),
        (refusing(503, "overloaded", "UNAVAILABLE"), "unreachable", "overloaded"),
        (refusing(403, "no", "PERMISSION_DENIED"), "credentials", "403"),
        (
            refusing(400, "API key not valid", details=[{"reason": "API_KEY_INVALID"}]),
            "credentials",
            "not valid",
        ),
        (refusing(404, "no such model", "NOT_FOUND"), "failed", "no such model"),
        (Answer([b"<html>bad gateway</html>"], 502), "unreachable", "502"),
        (Answer([event("", promptFeedback={"blockReason": "SAFETY"})]), "blocked", "SAFETY"),
        (Answer([event("", finish="PROHIBITED_CONTENT")]), "blocked", "PROHIBITED"),
        (Answer([event("", finish="STOP")]), "failed", "said nothing"),
        (Answer([b"data: {not json\r\n\r\n"]), "failed", "made no sense"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_refused_has_a_reason_and_is_asked_once(
    server: StandIn, refusal: Answer, reason: str, words: str
):
    server.answers.append(refusal)
    error, said = await fails(gemini(server))
    assert (error.reason, said) == (reason, "")
    assert words in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([Then.CUT], "unreachable"),
        ([event(" over")[:20], Then.CUT], "unreachable"),
        ([], "unreachable"),
        ([event("", finish="SAFETY")], "blocked"),
        ([sse({"error": {"code": 429, "message": "enough", "status": "X"}})], "quota"),
        ([Then.HANG], "slow"),
    ],
)
async def test_what_fails_in_the_middle_is_not_tried_again(
    server: StandIn, end: list[Any], reason: str
):
    server.answers.append(Answer([event("It is "), *end]))
    error, said = await fails(gemini(server, next_seconds=0.2))
    assert (error.reason, said) == (reason, "It is ")
    assert len(server.requests) == 1


async def test_a_lost_connection_is_forgiven_once_before_the_first_word(server: StandIn):
    server.answers.append(Answer([Then.CUT]))
    assert await answer(gemini(server)) == "Paris is the capital of France."
    assert len(server.requests) == 2
    server.answers.extend([Answer([Then.CUT])] * 2)
    error, _ = await fails(gemini(server))
    assert error.reason == "unreachable"
    assert len(server.requests) == 4


async def test_where_nobody_listens_it_is_unreachable():
    async with serve() as server:
        pass
    error, _ = await fails(gemini(server))
    assert error.reason == "unreachable"


async def test_a_server_that_hangs_is_given_up_and_the_line_closed(server: StandIn):
    server.answers.append(Answer([Then.HANG]))
    async with gemini(server, first_seconds=0.2).open() as chat:
        with pytest.raises(ChatError, match=r"within 0\.2 s") as failed:
            async for _ in chat.reply(ASKED):
                pass
        assert failed.value.reason == "slow"
        with anyio.fail_after(2):
            await server.left.wait()
        assert [piece async for piece in chat.reply(ASKED)]


@pytest.mark.parametrize("how", ["closed", "cancelled", "cancelled before the first word"])
async def test_a_reply_that_is_given_up_closes_its_line_at_once(server: StandIn, how: str):
    begun = [] if "before" in how else [event("It ")]
    server.answers.append(Answer([*begun, Then.HANG]))
    async with gemini(server).open() as chat:

        async def listen() -> None:
            async with aclosing(chat.reply(ASKED)) as reply:
                async for _ in reply:
                    got.set()
                    if how == "closed":
                        return

        got = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            while not (got.is_set() or ("before" in how and server.requests)):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            if how != "closed":
                tasks.cancel_scope.cancel()
        with anyio.fail_after(2):
            await server.left.wait()
        assert [piece async for piece in chat.reply(ASKED)]


async def test_it_calls_tools_and_answers_with_what_they_say(server: StandIn):
    call = {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Paris"}}}
    part = call | {"thoughtSignature": "c2lnbmVk"}
    wish = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
    server.answers.extend([Answer([sse({"candidates": [wish]})]), saying("It is ", "sunny.")])
    asked: list[Any] = []

    async def weather(arguments: Any) -> Any:
        asked.append(dict(arguments))
        return {"sky": "clear"}

    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    toolbox = Toolbox(
        [Tool("weather", "Tells the weather.", schema, weather)],
        filler="Let me look.",
    )
    assert await answer(gemini(server), toolbox) == "Let me look. It is sunny."
    assert asked == [{"city": "Paris"}]
    first, second = server.requests
    [declared] = first.body["tools"][0]["functionDeclarations"]
    assert declared["name"] == "weather"
    assert declared["parameters_json_schema"] == schema
    model, result = second.body["contents"][-2:]
    assert model["parts"][0]["thoughtSignature"] == "c2lnbmVk"
    assert result["parts"][0]["functionResponse"] == {
        "id": "c1",
        "name": "weather",
        "response": {"result": '{"sky": "clear"}'},
    }


async def test_an_empty_message_is_refused(server: StandIn):
    async with gemini(server).open() as chat:
        with pytest.raises(InputError, match="empty"):
            await anext(chat.reply([Message("user", " ")]))


async def test_a_key_is_never_shown_or_logged(server: StandIn, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    engine = gemini(server)
    assert "secret-key" not in repr(engine.options) + str(engine.options)
    assert await answer(engine)
    server.answers.append(refusing(403, "no", "PERMISSION_DENIED"))
    await fails(engine)
    assert caplog.text
    assert "secret-key" not in caplog.text
