"""The OpenAI engine on llama.cpp's own server."""

from collections.abc import Generator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from llama_server import KEY, LlamaServer, llama_server
from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ChatError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.openai import OpenAI

pytestmark = [pytest.mark.anyio, pytest.mark.weights]

ASKED = [Message("user", "Count from one to one hundred, please.")]


@pytest.fixture(scope="module")
def server() -> Generator[LlamaServer]:
    with llama_server() as server:
        yield server


def openai(server: LlamaServer, **options: Any) -> OpenAI:
    base = {"base_url": server.url, "api_key": KEY, "first_seconds": 60, "next_seconds": 20}
    return OpenAI(Context(ModelStore(), options=base | options))


async def test_a_wrong_key_is_told_in_words(server: LlamaServer):
    async with openai(server, api_key="wrong").open() as chat:
        with pytest.raises(ChatError) as failed:
            await anext(chat.reply(ASKED))
    assert failed.value.reason == "credentials"


async def test_a_question_that_does_not_fit_is_told_in_words(server: LlamaServer):
    async with openai(server).open() as chat:
        with pytest.raises(ChatError, match="context") as failed:
            await anext(chat.reply([Message("user", "word " * 700)] * 4))
    assert failed.value.reason == "failed"


async def test_replies_that_are_given_up_do_not_keep_the_server_busy(server: LlamaServer):
    """It works on two replies at once: a third would wait for one of a thousand tokens."""
    async with openai(server).open() as chat:
        for _ in range(3):
            async with aclosing(chat.reply(ASKED)) as reply:
                await anext(reply)
        with anyio.fail_after(20):
            short = openai(server, max_tokens=16)
            async with short.open() as other:
                assert [piece async for piece in other.reply(ASKED)]
