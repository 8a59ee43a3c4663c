from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
import pytest

from realtime_avatar.engines.ports import ChatEngine, Message
from realtime_avatar.engines.tools import Toolbox
from realtime_avatar.errors import (
    AvatarError,
    CapacityError,
    ChatError,
    EngineError,
    InputError,
    Reason,
)
from realtime_avatar.thinking.apology import BROKEN_OFF, SENTENCES, Apologetic
from realtime_avatar.thinking.chain import Chain
from realtime_avatar.thinking.honesty import Honest
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


ASKED = [Message("user", "Where is Paris?")]


class Scene:
    """A chat engine that says something and then perhaps fails."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *pieces: str, fails: Exception | None = None, full: bool = False) -> None:
        self.pieces, self.fails, self.full = pieces, fails, full
        self.opened = self.left = self.asked = 0

    def close(self) -> None:
        pass

    @asynccontextmanager
    async def open(self, *, system: str = "", tools: Toolbox | None = None) -> AsyncGenerator[Any]:
        if self.full:
            raise CapacityError("full", 1)
        self.opened += 1
        yield self
        self.left += 1

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        self.asked += 1
        for piece in self.pieces:
            yield piece
        if self.fails:
            raise self.fails


async def ask(engine: Any) -> tuple[str, Exception | None]:
    said = ""
    async with engine.open(system="x") as chat:
        try:
            async for piece in chat.reply(ASKED):
                said += piece
        except AvatarError as error:
            return said, error
    return said, None


def quota() -> ChatError:
    return ChatError("quota", "too much")


async def test_the_next_engine_answers_where_one_has_no_answer():
    told: list[AvatarError] = []
    first, second, third = Scene("", fails=quota()), Scene("In France."), Scene("Never.")
    chain = Chain({"a": first, "b": second, "c": third}, told.append)
    assert await ask(chain) == ("In France.", None)
    assert told == [first.fails]
    assert (first.left, second.left, third.opened) == (1, 1, 0)


async def test_the_first_engine_is_opened_in_advance_and_the_next_only_when_needed():
    first, second = Scene("Yes."), Scene("No.")
    async with Chain({"a": first, "b": second}).open():
        assert (first.opened, second.opened) == (1, 0)


async def test_an_engine_that_failed_rests_for_a_minute_and_is_asked_again():
    told: list[AvatarError] = []
    first, second = Scene(fails=quota()), Scene("In France.")
    async with Chain({"a": first, "b": second}, told.append).open() as chat:
        for wait, asked in ((0, 1), (30, 1), (31, 2)):
            await anyio.sleep(wait)
            assert [piece async for piece in chat.reply(ASKED)] == ["In France."]
            assert first.asked == asked
    assert (first.opened, second.opened, second.asked, len(told)) == (1, 1, 3, 2)


@pytest.mark.parametrize("reason", ["unreachable", "slow", "credentials", "quota"])
async def test_an_engine_that_is_down_rests_for_every_session(reason: Reason):
    told: list[AvatarError] = []
    first, second = Scene(fails=ChatError(reason, "down")), Scene("In France.")
    engines: dict[str, ChatEngine] = {"a": first, "b": second}
    rests = dict[str, float]()
    for asked in (1, 1, 2):
        if asked == 2:
            await anyio.sleep(61)
        assert await ask(Chain(engines, told.append, rests)) == ("In France.", None)
        assert first.asked == asked
    assert (first.opened, second.opened, len(told)) == (2, 3, 2)


@pytest.mark.parametrize(
    "failure", [ChatError("failed", "no sense"), EngineError("chat", "too long"), None]
)
async def test_what_one_question_brings_about_rests_an_engine_for_its_session_only(
    failure: AvatarError | None,
):
    first, second = Scene(fails=failure, full=failure is None), Scene("In France.")
    told: list[AvatarError] = []
    chain = Chain({"a": first, "b": second}, told.append)
    for sessions in (1, 2):
        async with chain.open() as chat:
            for _ in range(2):
                assert [piece async for piece in chat.reply(ASKED)] == ["In France."]
        assert len(told) == sessions


async def test_an_engine_that_broke_off_rests_too_but_never_the_last():
    broken = ChatError("unreachable", "gone")
    first, second = Scene("It is", fails=broken), Scene(fails=quota())
    async with Chain({"a": first, "b": second}).open() as chat:
        for failure in (broken, second.fails, second.fails):
            with pytest.raises(ChatError) as failed:
                async for _ in chat.reply(ASKED):
                    pass
            assert failed.value is failure
    assert (first.asked, second.asked) == (1, 2)


async def test_a_refusal_is_no_failure_of_the_engine():
    first = Scene(fails=ChatError("blocked", "no"))
    async with Chain({"a": first, "b": Scene("No.")}).open() as chat:
        for _ in range(2):
            with pytest.raises(ChatError):
                await anext(chat.reply(ASKED))
    assert first.asked == 2


async def test_a_full_house_is_no_answer_either():
    told: list[AvatarError] = []
    chain = Chain({"a": Scene(full=True), "b": Scene("In France.")}, told.append)
    assert await ask(chain) == ("In France.", None)
    assert isinstance(told[0], CapacityError)


async def test_what_was_begun_is_not_begun_again_by_another():
    second = Scene("No.")
    failure = ChatError("unreachable", "gone")
    assert await ask(Chain({"a": Scene("It is", fails=failure), "b": second})) == ("It is", failure)
    assert second.asked == 0


@pytest.mark.parametrize("failure", [ChatError("blocked", "no"), InputError("too long")])
async def test_a_refusal_is_not_carried_to_the_next(failure: AvatarError):
    second = Scene("No.")
    assert await ask(Chain({"a": Scene(fails=failure), "b": second})) == ("", failure)
    assert second.asked == 0


async def test_where_none_has_an_answer_the_last_failure_counts():
    last = EngineError("chat", "llama.cpp died")
    assert await ask(Chain({"a": Scene(fails=quota()), "b": Scene(fails=last)})) == ("", last)


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("reason", SENTENCES["en"])
async def test_each_failure_is_said_in_each_language_and_told(language: str, reason: Reason):
    failure = ChatError(reason, "why")
    said, error = await ask(Apologetic(Scene(fails=failure), language))
    assert said == SENTENCES[language][reason]
    assert error is failure


async def test_where_no_engine_has_room_it_says_so():
    chain = Chain({"a": Scene(fails=quota()), "b": Scene(full=True)})
    said, error = await ask(Apologetic(chain, "en"))
    assert said == SENTENCES["en"]["quota"]
    assert isinstance(error, CapacityError)


async def test_any_other_failure_is_said_too_but_not_bad_input():
    failure = EngineError("chat", "llama.cpp died")
    assert await ask(Apologetic(Scene(fails=failure), "es")) == (SENTENCES["es"]["failed"], failure)
    refused = InputError("too long")
    assert await ask(Apologetic(Scene(fails=refused), "es")) == ("", refused)


async def test_in_the_middle_it_says_that_it_lost_the_thread():
    said, _ = await ask(Apologetic(Scene("It is", fails=ChatError("slow", "x")), "en"))
    assert said == f"It is … {BROKEN_OFF['en']}"
    said, _ = await ask(Apologetic(Scene("It is", fails=ChatError("blocked", "x")), "zh"))
    assert said == f"It is … {SENTENCES['zh']['blocked']}"


async def test_whether_it_is_human_is_answered_though_no_engine_is_there():
    engine = Scene(fails=quota())
    async with Honest(Apologetic(engine, "en"), "Ava").open() as chat:
        asked = [Message("user", "Are you human?")]
        assert "not a person" in "".join([piece async for piece in chat.reply(asked)])
    assert engine.asked == 0
