from contextlib import aclosing

import anyio
import pytest

from realtime_avatar.engines.ports import ChatEngine, Message
from streams import collect

pytestmark = pytest.mark.anyio
QUESTION = [
    Message("system", "You answer in one short sentence."),
    Message("user", "What is the capital of France?"),
]


async def test_an_answer_comes_in_pieces(chat_engine: ChatEngine):
    async with chat_engine.open() as chat:
        pieces = await collect(chat.reply(QUESTION))
    assert len(pieces) > 1
    assert all(pieces)
    assert "".join(pieces).strip()


async def test_a_conversation_goes_on(chat_engine: ChatEngine):
    async with chat_engine.open() as chat:
        messages = list(QUESTION)
        for question in ("And of Spain?", "And of Italy?"):
            answer = "".join(await collect(chat.reply(messages)))
            assert answer.strip()
            messages += [Message("assistant", answer), Message("user", question)]


async def test_a_reply_that_is_closed_early_leaves_the_session_usable(chat_engine: ChatEngine):
    async with chat_engine.open() as chat:
        async with aclosing(chat.reply(QUESTION)) as reply:
            async for _ in reply:
                break
        assert await collect(chat.reply(QUESTION))


async def test_a_reply_that_is_cancelled_leaves_the_session_usable(chat_engine: ChatEngine):
    async with chat_engine.open() as chat:
        got = anyio.Event()

        async def listen() -> None:
            async with aclosing(chat.reply(QUESTION)) as reply:
                async for _ in reply:
                    got.set()
                    await anyio.sleep_forever()

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await got.wait()
                tasks.cancel_scope.cancel()
        assert await collect(chat.reply(QUESTION))


async def test_two_sessions_do_not_disturb_each_other(chat_engine: ChatEngine):
    answers: list[str] = []

    async def ask() -> None:
        async with chat_engine.open() as chat:
            answers.append("".join(await collect(chat.reply(QUESTION))))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
    assert len(answers) == 2
    assert all(answer.strip() for answer in answers)
