import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from realtime_avatar.bench.stand_in import Answer, StandIn, Then, serve, sse
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.tools import Tool, Toolbox
from realtime_avatar.errors import ChatError, InputError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.openai import OpenAI

pytestmark = pytest.mark.anyio

ASKED = [Message("system", "You are Ava."), Message("user", "Hi."), Message("user", "Well?")]
DONE = b"data: [DONE]\n\n"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the credentials of whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server() -> AsyncGenerator[StandIn]:
    async with serve() as server:
        yield server


def openai(server: StandIn, **options: Any) -> OpenAI:
    base = {"base_url": f"{server.url}/v1", "api_key": "secret-key"}
    return OpenAI(Context(ModelStore(), options=base | options))


def delta(content: str = "", *, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return sse({**chunk, "choices": [choice]})


def saying(*pieces: str) -> Answer:
    return Answer([*map(delta, pieces), delta(finish="stop"), DONE])


def refusing(status: int, message: str, **more: Any) -> Answer:
    return Answer([json.dumps({"error": {"message": message, **more}}).encode()], status)


async def answer(engine: OpenAI, tools: Toolbox | None = None) -> str:
    async with engine.open(tools=tools) as chat:
        return "".join([piece async for piece in chat.reply(ASKED)])


async def fails(engine: OpenAI) -> tuple[ChatError, str]:
    """Ask, and return the error and what came before it."""
    said = ""
    async with engine.open() as chat:
        with pytest.raises(ChatError) as failed:
            async for piece in chat.reply(ASKED):
                said += piece
    assert "secret-key" not in str(failed.value)
    return failed.value, said


async def test_the_conversation_is_sent_and_the_answer_streamed(server: StandIn):
    server.answers.append(saying("It is ", "fine."))
    assert await answer(openai(server, model="mine", extra={"top_k": 3})) == "It is fine."
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret-key"
    assert request.body == {
        "model": "mine",
        "messages": [
            {"role": "system", "content": "You are Ava."},
            {"role": "user", "content": "Hi.\nWell?"},
        ],
        "max_tokens": 1024,
        "stream": True,
        "top_k": 3,
    }


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["<think>The user", " greets.</think>", "\n\n", "Hello", " you."], "Hello you."),
        (["\n<thi", "nk>Hm.</thi", "nk>Hello."], "Hello."),
        (["<th", "ree> is a tag."], "<three> is a tag."),
        (["I <think> so", "."], "I <think> so."),
        ([" ", "Hello."], " Hello."),
        (["<thin"], "<thin"),
    ],
)
async def test_thoughts_are_not_said(server: StandIn, pieces: list[str], said: str):
    server.answers.append(saying(*pieces))
    assert await answer(openai(server)) == said


async def test_a_model_that_only_thinks_has_no_answer(server: StandIn):
    server.answers.append(saying("<think>Well", ", well.</think>", "\n"))
    error, said = await fails(openai(server))
    assert (error.reason, said) == ("failed", "")


async def test_of_a_long_conversation_only_the_recent_part_is_sent(server: StandIn):
    server.answers.append(saying("Yes."))
    said = [Message("user", "Hi."), Message("assistant", "Hello!")] * 50
    async with openai(server, history=6).open() as chat:
        asked = [ASKED[0], *said, Message("user", "Well?")]
        assert [piece async for piece in chat.reply(asked)] == ["Yes."]
    messages = server.requests[0].body["messages"]
    assert messages[0]["content"] == "You are Ava."
    assert [len(messages) <= 7, messages[-1]["content"]] == [True, "Well?"]


async def test_a_server_of_ones_own_needs_no_key(server: StandIn):
    server.answers.append(saying("Yes."))
    assert await answer(openai(server, api_key=None)) == "Yes."


async def test_without_key_and_server_it_says_what_to_set():
    error, _ = await fails(OpenAI(Context(ModelStore())))
    assert error.reason == "credentials"
    assert "OPENAI_API_KEY" in str(error)


@pytest.mark.parametrize(
    ("refusal", "reason", "words"),
    [
        (refusing(401, "Incorrect API key: secret-key"), "credentials", "401"),
        (refusing(429, "slow down", code="rate_limit_exceeded"), "quota", "slow down"),
        (refusing(429, "pay", code="insufficient_quota"), "quota", "pay"),
        (refusing(500, "oops"), "unreachable", "oops"),
        (refusing(404, "no such model"), "failed", "no such model"),
        (refusing(400, "filtered", code="content_filter"), "blocked", "filtered"),
        (Answer([b"<html>bad gateway</html>"], 502), "unreachable", "502"),
        (Answer([delta(refusal="I will not")]), "blocked", "refused"),
        (Answer([delta(finish="content_filter"), DONE]), "blocked", "filter"),
        (Answer([delta(finish="stop"), DONE]), "failed", "said nothing"),
        (Answer([b"data: {not json\n\n"]), "failed", "made no sense"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_refused_has_a_reason_and_is_asked_once(
    server: StandIn, refusal: Answer, reason: str, words: str
):
    server.answers.append(refusal)
    error, said = await fails(openai(server))
    assert (error.reason, said) == (reason, "")
    assert words in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ([Then.CUT], "unreachable"),
        ([delta(" over")[:20], Then.CUT], "unreachable"),
        ([], "unreachable"),
        ([delta(finish="content_filter")], "blocked"),
        ([sse({"error": {"message": "enough", "code": "rate_limit_exceeded"}})], "quota"),
        ([Then.HANG], "slow"),
    ],
)
async def test_what_fails_in_the_middle_is_not_tried_again(
    server: StandIn, end: list[Any], reason: str
):
    server.answers.append(Answer([delta("It is "), *end]))
    error, said = await fails(openai(server, next_seconds=0.2))
    assert (error.reason, said) == (reason, "It is ")
    assert len(server.requests) == 1


async def test_a_lost_connection_is_forgiven_once_before_the_first_word(server: StandIn):
    server.answers.extend([Answer([Then.CUT]), saying("Yes.")])
    assert await answer(openai(server)) == "Yes."
    assert len(server.requests) == 2
    server.answers.extend([Answer([Then.CUT])] * 2)
    error, _ = await fails(openai(server))
    assert error.reason == "unreachable"
    assert len(server.requests) == 4


@pytest.mark.parametrize("how", ["closed", "cancelled", "cancelled before the first word"])
async def test_a_reply_that_is_given_up_closes_its_line_at_once(server: StandIn, how: str):
    begun = [] if "before" in how else [delta("It ")]
    server.answers.extend([Answer([*begun, Then.HANG]), saying("Yes.")])
    async with openai(server).open() as chat:

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
        assert [piece async for piece in chat.reply(ASKED)] == ["Yes."]


def wish(index: int, arguments: str, **more: Any) -> bytes:
    return delta(tool_calls=[{"index": index, "function": {"arguments": arguments}, **more}])


def calling(name: str, *arguments: str) -> Answer:
    named = {"index": 0, "id": "c1", "type": "function", "function": {"name": name}}
    begin = delta(tool_calls=[named])
    pieces = [wish(0, piece) for piece in arguments]
    return Answer([begin, *pieces, delta(finish="tool_calls"), DONE])


async def _weather(arguments: Mapping[str, Any]) -> Any:
    if arguments.get("city") == "Atlantis":
        raise LookupError("no such city")
    if arguments.get("city") == "Slowville":
        await anyio.sleep_forever()
    return f"sunny in {arguments['city']}"


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("weather", "Tells the weather.", SCHEMA, _weather)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("weather", ['{"ci', 'ty": "Rome"}'], "sunny in Rome"),
        ("weather", ['{"city": "Atlantis"}'], "failed: no such city"),
        ("weather", ['{"city": "Slowville"}'], "longer than 0.1 seconds"),
        ("weather", ["{nonsense"], "failed: 'city'"),
        ("wether", ["{}"], "no tool 'wether'"),
    ],
)
async def test_what_a_tool_says_or_why_it_does_not_is_told_to_the_model(
    server: StandIn, name: str, arguments: list[str], result: str
):
    server.answers.extend([calling(name, *arguments), saying("Done.")])
    toolbox = Toolbox([WEATHER], filler="One moment.", seconds=0.1)
    assert await answer(openai(server), toolbox) == "One moment. Done."
    first, second = server.requests
    assert first.body["tools"][0]["function"]["parameters"] == SCHEMA
    assert first.body["tool_choice"] == "auto"
    *_, called, told = second.body["messages"]
    assert called["tool_calls"][0]["function"] == {"name": name, "arguments": "".join(arguments)}
    assert (told["role"], told["tool_call_id"]) == ("tool", "c1")
    assert result in told["content"]


async def test_several_tools_run_side_by_side(server: StandIn):
    met: list[anyio.Event] = [anyio.Event(), anyio.Event()]

    async def meet(arguments: Mapping[str, Any]) -> str:
        me = arguments["me"]
        met[me].set()
        await met[1 - me].wait()  # neither ends before both have begun
        return f"guest {me}"

    wishes = [
        {"index": at, "id": f"c{at}", "type": "function", "function": {"name": "meet"}}
        for at in range(2)
    ]
    pieces = [wish(at, json.dumps({"me": at})) for at in range(2)]
    both = Answer([delta(tool_calls=wishes), *pieces, delta(finish="tool_calls"), DONE])
    server.answers.extend([both, saying("Done.")])
    tool = Tool("meet", "Meets.", {"type": "object"}, meet)
    assert await answer(openai(server), Toolbox([tool], seconds=5)) == "Done."
    told = [message for message in server.requests[1].body["messages"] if message["role"] == "tool"]
    assert [(one["tool_call_id"], one["content"]) for one in told] == [
        ("c0", "guest 0"),
        ("c1", "guest 1"),
    ]


async def test_no_filler_is_said_where_the_model_says_something_itself(server: StandIn):
    chatty = calling("weather", '{"city": "Rome"}')
    server.answers.extend(
        [Answer([delta("I'll look."), *chatty.steps]), calling("weather", "{}"), saying("Sunny.")]
    )
    toolbox = Toolbox([WEATHER], filler="One moment.")
    assert (await answer(openai(server), toolbox)).split() == ["I'll", "look.", "Sunny."]


async def test_a_model_that_calls_for_ever_has_to_answer(server: StandIn):
    server.answers.extend([calling("weather", '{"city": "Rome"}')] * 4 + [saying("Enough.")])
    assert await answer(openai(server), Toolbox([WEATHER])) == "Enough."
    assert [request.body["tool_choice"] for request in server.requests] == ["auto"] * 4 + ["none"]


async def test_an_empty_message_is_refused(server: StandIn):
    async with openai(server).open() as chat:
        with pytest.raises(InputError, match="empty"):
            await anext(chat.reply([Message("user", " ")]))


async def test_a_key_is_never_shown_or_logged(server: StandIn, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    engine = openai(server)
    assert "secret-key" not in repr(engine.options) + str(engine.options)
    server.answers.append(saying("Yes."))
    assert await answer(engine) == "Yes."
    server.answers.append(refusing(401, "Incorrect API key: secret-key"))
    await fails(engine)
    assert caplog.text
    assert "secret-key" not in caplog.text
