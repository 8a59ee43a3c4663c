"""Chats on real models that are computed here, by either engine."""

import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from anyio import create_task_group, move_on_after
from anyio.lowlevel import checkpoint

from realtime_avatar.engines.ports import Message
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import CapacityError, ConfigError, InputError, ModelMissing
from realtime_avatar.models.store import ModelStore
from realtime_avatar.processor import computes_chats
from realtime_avatar.thinking.llama import Llama, LlamaChat
from realtime_avatar.thinking.local.engine import Local, LocalChat
from realtime_avatar.thinking.persona import Persona, system_prompt
from realtime_avatar.thinking.question import LONGEST
from talking import SYSTEM, answer, asked

pytestmark = [pytest.mark.anyio, pytest.mark.weights]

TINY = {"model": "smollm2-135m", "temperature": 0, "max_tokens": 48}
CLEAR = "Please name the capital of France."  # no second word is nearly as likely anywhere

Engine: TypeAlias = Llama | Local
Maker: TypeAlias = type[Llama] | type[Local]


@pytest.fixture(scope="module", params=[Llama, Local])
def kind(request: pytest.FixtureRequest) -> Maker:
    if request.param is Local and not computes_chats():
        pytest.skip("this processor cannot compute it")
    return request.param


def make(kind: Maker, store: ModelStore, **options: object) -> Engine:
    return kind(Context(store, threads=2, options={**TINY, **options}))


@pytest.fixture(scope="module")
def tiny(kind: Maker, store: ModelStore) -> Iterator[Engine]:
    engine = make(kind, store)
    yield engine
    engine.close()


def working() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "llama"]


def used(chat: LlamaChat | LocalChat) -> tuple[int, int]:
    assert chat.usage is not None
    return chat.usage.cached, chat.usage.read


async def test_a_reply_comes_in_pieces(tiny: Engine) -> None:
    async with tiny.open() as chat:
        pieces = [piece async for piece in chat.reply(asked(CLEAR))]
    assert len(pieces) > 3
    assert "Paris" in "".join(pieces)
    assert not working()


async def test_what_was_read_ahead_is_not_read_again(tiny: Engine) -> None:
    question = "What is the capital of France, and how many people live there?"
    async with tiny.open() as chat:
        expected = await answer(chat, asked(question))
        _, alone = used(chat)
    async with tiny.open(system=SYSTEM) as chat:
        for words in (
            "",
            "What is the capital",
            "What is the capital of France and how many people",
        ):
            await chat.read_ahead(asked(words))
        assert await answer(chat, asked(question)) == expected
        cached, read = used(chat)
        assert cached > 30
        assert read < min(alone, 16)
        await chat.read_ahead([Message("user", "word " * 4000)])  # more than it can hold
        assert await answer(chat, asked(question)) == expected
    assert not working()


async def test_the_default_model_answers_in_each_language(kind: Maker, store: ModelStore) -> None:
    engine = kind(Context(store, threads=2, options={"max_tokens": 48, "temperature": 0}))
    questions = {
        "en": ("What is the capital of France?", "Paris"),
        "zh": ("法国的首都是哪里？", "巴黎"),
        "es": ("¿Cuál es la capital de Francia?", "París"),
    }
    try:
        for language, (question, expected) in questions.items():
            system = system_prompt(Persona(), language)
            async with engine.open(system=system) as chat:
                messages = [Message("system", system), Message("user", question)]
                assert expected in await answer(chat, messages)
                cached, read = used(chat)
                assert read < 30 < cached  # the system message was read at `open`
    finally:
        engine.close()


@pytest.mark.skipif(not computes_chats(), reason="this processor cannot compute it")
async def test_guesses_are_right_often_and_change_no_word(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    passes = written = 0
    for guess in (False, True):
        options = {"max_tokens": 64, "temperature": 0, "guess": guess}
        engine = Local(Context(store, threads=2, options=options))
        read_on = engine.read_on

        async def counted(*args: Any, read_on: Any = read_on) -> Any:
            nonlocal passes
            passes += 1
            return await read_on(*args)

        monkeypatch.setattr(engine, "read_on", counted)
        try:
            async with engine.open(system=SYSTEM) as chat:
                passes = written = 0
                for question in ("What is the capital of France?", "How can I sleep better?"):
                    said.append(await answer(chat, asked(question)))
                    assert chat.usage is not None
                    written += chat.usage.written
        finally:
            engine.close()
        assert written > 20
    assert said[:2] == said[2:]
    assert written > 1.7 * passes


async def test_a_system_message_is_read_once_for_all_starts(
    kind: Maker, store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    question = asked("What is the capital of France?")
    answers, kept = list[str](), 0
    for _ in range(2):
        engine = make(kind, store)
        try:
            async with engine.open(system=SYSTEM) as chat:
                (file,) = tmp_path.glob("*/prompts/*")
                kept = file.stat().st_ino
                answers.append(await answer(chat, question))
                cached, read = used(chat)
                assert read < 20 < cached + 10
        finally:
            engine.close()
    (file,) = tmp_path.glob("*/prompts/*")
    assert file.stat().st_ino == kept  # the second start restored it
    assert answers[0] == answers[1]


async def test_a_second_turn_reads_only_what_is_new(tiny: Engine) -> None:
    async with tiny.open() as chat:
        first = await answer(chat, asked("Tell me about the sea, please."))
        _, read_first = used(chat)
        await answer(chat, asked("Tell me about the sea, please.", first, "And the sky?"))
        cached, read = used(chat)
    assert read_first + 5 < cached
    assert read < 25


async def test_a_closed_reply_leaves_no_thread_and_a_usable_session(tiny: Engine) -> None:
    async with tiny.open() as chat:
        async with aclosing(chat.reply(asked("Tell me a long story about a fox."))) as pieces:
            async for _ in pieces:
                assert working() or isinstance(tiny, Local)
                break
        assert not working()
        assert await answer(chat, asked("What is the capital of France?"))


async def test_a_cancelled_reply_leaves_no_thread_and_a_usable_session(tiny: Engine) -> None:
    long = "Tell me a long story about a fox and a bear. " * 40
    async with tiny.open() as chat:
        with move_on_after(0.01) as scope:  # before the first piece: while it reads
            await answer(chat, asked(long))
        assert scope.cancelled_caught
        assert not working()
        assert "Paris" in await answer(chat, asked(CLEAR))


async def test_a_slow_listener_gets_the_whole_reply(tiny: Engine) -> None:
    async with tiny.open() as chat:
        quick = await answer(chat, asked("What is the capital of France?"))
        slow = ""
        async for piece in chat.reply(asked("What is the capital of France?")):
            for _ in range(50):
                await checkpoint()
            slow += piece
    assert slow == quick


async def test_sessions_do_not_mix(tiny: Engine) -> None:
    names = ("Bob", "Alice", "Charlie", "Dora")

    async def talk(name: str, replies: dict[str, list[str]]) -> None:
        async with tiny.open() as chat:
            first = await answer(chat, asked(f"My name is {name}."))
            again = asked(f"My name is {name}.", first, "Say my name again.")
            replies[name] = [first, await answer(chat, again)]

    alone, together = dict[str, list[str]](), dict[str, list[str]]()
    for name in names:
        await talk(name, alone)
    async with create_task_group() as tasks:
        for name in names:
            tasks.start_soon(talk, name, together)
    assert together == alone


async def test_a_session_more_than_there_are_slots_is_refused(
    kind: Maker, store: ModelStore
) -> None:
    engine = make(kind, store, slots=1)
    try:
        async with engine.open():
            with pytest.raises(CapacityError, match="all 1 "):
                async with engine.open():
                    pass
        async with engine.open() as chat:
            assert await answer(chat, asked("Hello."))
    finally:
        engine.close()


async def test_a_long_history_is_cut_and_still_answered(kind: Maker, store: ModelStore) -> None:
    engine = make(kind, store, context=512, slots=1)
    texts = [f"Sentence number {at} of a long talk about cats." for at in range(60)]
    try:
        async with engine.open() as chat:
            assert await answer(chat, asked(*texts, "What is the capital of France?"))
            cached, read = used(chat)
            assert cached + read <= 512 - 48
            texts += ["What is the capital of France?", "Paris."]
            assert await answer(chat, asked(*texts, "And of Spain?"))
            cached, read = used(chat)
            assert read < 30 < cached  # the cut stayed where it was
            with pytest.raises(InputError, match="too long"):
                await answer(chat, asked("cat " * 900))
            assert await answer(chat, asked("What is the capital of France?"))
    finally:
        engine.close()


@pytest.mark.parametrize("text", ["", " \n", "a" * 100_000, "a" * (LONGEST + 1)])
async def test_what_cannot_be_answered_is_refused(tiny: Engine, text: str) -> None:
    async with tiny.open() as chat:
        with pytest.raises(InputError, match="message"):
            await answer(chat, asked(text))


async def test_replies_keep_the_spoken_style(tiny: Engine) -> None:
    wanted = "Write a list of ten animals in markdown with emoji, numbers, and code."
    async with tiny.open() as chat:
        reply = await answer(chat, asked(wanted))
    assert reply
    assert not set("\n*#`_{}<>|[]~\\").intersection(reply)


async def test_a_reply_ends(kind: Maker, store: ModelStore) -> None:
    engine = make(kind, store, max_tokens=16, context=512)
    try:
        async with engine.open() as chat:
            await answer(chat, asked("Count from one to a thousand in words, without a stop."))
            assert chat.usage is not None
            assert chat.usage.written <= 16
    finally:
        engine.close()


@pytest.mark.parametrize("options", [{"slots": 0}, {"context": 10}, {"colour": "red"}])
def test_options_that_make_no_sense_are_errors(
    kind: Maker, store: ModelStore, options: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        make(kind, store, **options)


def test_a_model_that_is_not_there_is_an_error_in_words(
    kind: Maker, store: ModelStore, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no-such-model"):
        make(kind, store, model="no-such-model")
    with pytest.raises(ModelMissing, match="cannot be read"):
        make(kind, store, model=str(tmp_path / "none.gguf"))
    wrong = tmp_path / "wrong.gguf"
    wrong.write_text("These are no weights.")
    with pytest.raises(ConfigError, match="GGUF"):
        make(kind, store, model=str(wrong))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ConfigError, match=r"cannot (be )?load"):
        make(kind, store, model=str(broken))


def test_a_path_serves_as_a_model(kind: Maker, store: ModelStore) -> None:
    (path,) = store.path("smollm2-135m").glob("*.gguf")
    make(kind, store, model=str(path)).close()
