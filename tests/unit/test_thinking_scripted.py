import pytest
from anyio import current_time

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.scripted import Scripted
from streams import collect
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio
REPLIES = ["Good morning, dear guest.", "你好，世界！"]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


def scripted(**options: object) -> Scripted:
    return Scripted(Context(ModelStore(), options={"replies": REPLIES} | options))


def user(text: str) -> Message:
    return Message("user", text)


async def answer(engine: Scripted, *messages: Message) -> str:
    async with engine.open() as chat:
        return "".join(await collect(chat.reply(messages)))


async def test_the_replies_come_in_order_and_then_again():
    engine = scripted()
    said = [Message("system", "Be kind.")]
    answers: list[str] = []
    for question in ("One?", "Two?", "Three?"):
        said.append(user(question))
        answers.append(await answer(engine, *said))
        said.append(Message("assistant", answers[-1]))
    assert answers == [*REPLIES, REPLIES[0]]


async def test_a_guess_that_was_thrown_away_does_not_use_a_reply_up():
    engine = scripted()
    assert await answer(engine, user("What is")) == REPLIES[0]
    assert await answer(engine, user("What is the time?")) == REPLIES[0]


async def test_pieces_are_words_or_chinese_characters():
    async with scripted().open() as chat:
        assert await collect(chat.reply([user("?")])) == ["Good ", "morning, ", "dear ", "guest."]
        second = await collect(chat.reply([user("?"), user("?")]))
        assert second == ["你", "好", "，", "世", "界", "！"]


async def test_pieces_come_at_the_pace_that_was_asked_for():
    start = current_time()
    await answer(scripted(pace=4), user("?"))
    assert current_time() - start == pytest.approx(3 / 4)


async def test_without_a_pace_all_come_at_once():
    start = current_time()
    await answer(scripted(), user("?"))
    assert current_time() == start


async def test_nothing_to_answer_is_an_error():
    with pytest.raises(InputError):
        await answer(scripted(), Message("system", "Be kind."))


@pytest.mark.parametrize("replies", [[], ["  "], "hello", None])
def test_replies_that_make_no_sense_are_an_error_in_words(replies: object):
    with pytest.raises(ConfigError, match="replies"):
        scripted(replies=replies)
