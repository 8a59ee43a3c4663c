from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from realtime_avatar.engines.fake import FakeChat
from realtime_avatar.engines.ports import ChatEngine, Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import EngineError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.apology import Apologetic
from realtime_avatar.thinking.chain import Chain
from realtime_avatar.thinking.grounded import Grounded
from realtime_avatar.thinking.honesty import Honest
from realtime_avatar.thinking.knowledge import Knowledge
from realtime_avatar.thinking.reading_ahead import read_ahead

pytestmark = pytest.mark.anyio

ASKED = [Message("user", "What is the")]


class Reading:
    """A chat that notes what it reads ahead, and fails to answer."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.read: list[Sequence[Message]] = []

    def close(self) -> None: ...

    @asynccontextmanager
    async def open(
        self, *, system: str = "", tools: Toolbox | None = None
    ) -> AsyncGenerator["Reading"]:
        yield self

    async def read_ahead(self, messages: Sequence[Message]) -> None:
        self.read.append(messages)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        raise EngineError("chat", "no")
        yield ""


def fake() -> FakeChat:
    return FakeChat(Context(ModelStore()))


def wrapped(engine: ChatEngine, knowledge: Path) -> ChatEngine:
    grounded = Grounded(Chain({"a": engine, "b": fake()}), Knowledge(knowledge), "en")
    return Honest(Apologetic(grounded, "en"), "Ava")


async def test_what_stands_before_a_chat_lets_it_read_ahead(tmp_path: Path) -> None:
    engine = Reading()
    async with wrapped(engine, tmp_path / "none").open() as chat:
        await read_ahead(chat, ASKED)
        assert engine.read == [ASKED]
        assert [piece async for piece in chat.reply(ASKED)]  # of the fake one; the other rests
        await read_ahead(chat, ASKED)
        assert engine.read == [ASKED]


async def test_a_question_that_will_be_looked_up_is_not_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Knowledge, "empty", False)
    engine = Reading()
    async with wrapped(engine, tmp_path / "none").open() as chat:
        await read_ahead(chat, ASKED)
    assert not engine.read


async def test_a_chat_that_gains_nothing_is_left_alone() -> None:
    async with fake().open() as chat:
        await read_ahead(chat, ASKED)
        assert [piece async for piece in chat.reply(ASKED)]
