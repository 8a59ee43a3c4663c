"""A conversation's chat as the settings make it, on a server that stands in for Gemini's."""

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

import mcp_server
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
from realtime_avatar.config import McpServer, Settings
from realtime_avatar.dialogue.chats import Chats
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.requests import Taste, think
from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import AvatarError, ChatError
from realtime_avatar.thinking.apology import SENTENCES
from realtime_avatar.thinking.calling import FILLERS
from realtime_avatar.thinking.knowledge import Knowledge, Passage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncGenerator[StandIn]:
    async with serve() as server:
        yield server


def settings(server: StandIn, tmp_path: Path, *chats: str, **options: Any) -> Settings:
    own: dict[str, Any] = {
        "gemini": {"api_key": "x", "base_url": server.url, **options},
        "scripted": {"replies": ["I am the second."]},
    }
    return Settings(chat=chats or ("gemini",), engines=own, knowledge=tmp_path / "knowledge")


def asked(question: str) -> list[Message]:
    return [Message("system", "You are Ava."), Message("user", question)]


async def answer(ensemble: Ensemble, question: str, language: str = "en", **ears: Any) -> str:
    async with (await ensemble.chat(language, **ears)).open() as chat:
        return "".join([piece async for piece in chat.reply(asked(question))])


@pytest.mark.parametrize("question", ["Are you human?", "你是真人吗？", "¿Eres humana?"])
async def test_whether_it_is_human_never_reaches_the_cloud(
    server: StandIn, tmp_path: Path, question: str
):
    async with Ensemble(settings(server, tmp_path)) as ensemble:
        assert "Ava" in await answer(ensemble, question)
    assert server.requests == []


async def test_a_chain_falls_over_and_tells_why(server: StandIn, tmp_path: Path):
    server.answers.append(refusing(429, "enough", "RESOURCE_EXHAUSTED"))
    told: list[AvatarError] = []
    async with Ensemble(settings(server, tmp_path, "gemini", "scripted")) as ensemble:
        for _ in range(2):
            assert await answer(ensemble, "Hello", told=told.append) == "I am the second."
    assert "429" in str(told[0])
    assert (len(told), len(server.requests)) == (1, 1)


async def test_after_its_rest_the_first_of_a_chain_answers_again(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("realtime_avatar.thinking.chain.REST", 0)
    server.answers.append(refusing(429, "enough", "RESOURCE_EXHAUSTED"))
    async with Ensemble(settings(server, tmp_path, "gemini", "scripted")) as ensemble:
        assert await answer(ensemble, "Hello") == "I am the second."
        assert await answer(ensemble, "Hello") == "Paris is the capital of France."


async def test_a_server_that_hangs_is_waited_for_by_one_request_only(
    server: StandIn, tmp_path: Path
):
    server.answers.extend([Answer([Then.HANG])] * 2)
    own = settings(server, tmp_path, "gemini", "scripted", first_seconds=0.2)
    async with Ensemble(own) as ensemble:
        for _ in range(2):
            pieces = [piece async for piece in think(ensemble, asked("Hello"), Taste())]
            assert "".join(pieces) == "I am the second."
    assert len(server.requests) == 1


async def test_a_refusal_is_spoken_in_the_language_of_the_conversation(
    server: StandIn, tmp_path: Path
):
    refused = Answer([event("", promptFeedback={"blockReason": "SAFETY"})])
    server.answers.append(refused)
    said = ""
    async with (
        Ensemble(settings(server, tmp_path, "gemini", "scripted")) as ensemble,
        (await ensemble.chat("zh")).open() as chat,
    ):
        with pytest.raises(ChatError, match="SAFETY"):
            async for piece in chat.reply(asked("Hello")):
                said += piece
    assert said == SENTENCES["zh"]["blocked"]


async def test_documents_go_with_the_question(server: StandIn, tmp_path: Path):
    (tmp_path / "visit.txt").write_text("Dogs are not allowed, except guide dogs.")
    own = settings(server, tmp_path)
    Knowledge(own.knowledge_file).add(tmp_path / "visit.txt")
    cited: list[Passage] = []
    async with Ensemble(own) as ensemble:
        await answer(ensemble, "¿Puedo entrar con mi perro?", "es", cited=cited.extend)
    [request] = server.requests
    said = request.body["contents"][-1]["parts"][0]["text"]
    assert "Dogs are not allowed" in said
    assert "¿Puedo entrar con mi perro?" in said
    assert cited[0].document == "visit.txt"


async def test_an_answer_given_up_closes_its_line_through_all_that_stands_before_it(
    server: StandIn, tmp_path: Path
):
    server.answers.append(Answer([event("It "), Then.HANG]))
    async with (
        Ensemble(settings(server, tmp_path, "gemini", "scripted")) as ensemble,
        (await ensemble.chat("en")).open() as chat,
    ):
        async with aclosing(chat.reply(asked("Hello"))) as reply:
            assert await anext(reply) == "It "
        with anyio.fail_after(2):
            await server.left.wait()


async def test_the_tools_of_the_settings_are_offered_called_and_told(
    server: StandIn, tmp_path: Path
):
    museum: Any = {"command": [sys.executable, mcp_server.__file__]}
    own = settings(server, tmp_path).model_copy(update={"mcp": {"museum": McpServer(**museum)}})
    call = {"name": "museum_opening_hours", "args": {"day": "Sunday"}}
    wish = {"content": {"role": "model", "parts": [{"functionCall": call}]}, "finishReason": "STOP"}
    server.answers.extend([Answer([sse({"candidates": [wish]})]), saying("From ten.")])
    async with Ensemble(own) as ensemble, AsyncExitStack() as stack:
        chat = await Chats(ensemble, stack).get("es")
        said = "".join([piece async for piece in chat.reply(asked("¿Cuándo abrís?"))])
    assert said == f"{FILLERS['es']} From ten."
    result = server.requests[1].body["contents"][-1]["parts"][0]["functionResponse"]
    assert "On Sunday from ten to six" in result["response"]["result"]
