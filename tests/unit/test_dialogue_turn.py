from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import suppress

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.turn import CHUNKS, SHOTS, TOKENS, Engines, Turn
from realtime_avatar.engines.ports import Message, Presence
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio, Shot

pytestmark = pytest.mark.anyio
FRAME = np.zeros((2, 2, 3), np.uint8)
SAMPLES = 960


class Chat:
    def __init__(self, words: int = 200, fails_at: int | None = None) -> None:
        self.words, self.fails_at, self.made = words, fails_at, 0

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str]:
        for index in range(self.words):
            if index == self.fails_at:
                raise RuntimeError("the model fell over")
            self.made += 1
            yield f"w{index} "
            await anyio.lowlevel.checkpoint()


class Voice:
    rate = 24_000
    made = 0

    async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        start = 0
        async for word in text:
            self.made += 1
            yield Audio(np.full(SAMPLES, self.made, np.int16), self.rate, start, word)
            start += SAMPLES


class Face:
    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at, self.made, self.closed = fails_at, 0, False

    async def idle(self, presence: Presence = "idle") -> NDArray[np.uint8]:
        return FRAME

    def unseen(self, shots: int) -> None: ...

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        held: Audio | None = None  # one frame of look-ahead, as a real face has
        try:
            async for chunk in audio:
                if self.made == self.fails_at:
                    raise RuntimeError("the face fell over")
                if held:
                    self.made += 1
                    yield Shot(held, FRAME)
                held = chunk
            if held:
                yield Shot(held, FRAME)
        finally:
            self.closed = True


class Playout:
    def __init__(self, limit: int = 10**9) -> None:
        self.shots: list[Shot] = []
        self.limit, self.stalled = limit, anyio.Event()

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        async for shot in shots:
            if len(self.shots) == self.limit:
                self.stalled.set()
                await anyio.sleep_forever()
            self.shots.append(shot)

    def stop(self) -> str:
        return "".join(shot.audio.text for shot in self.shots)


def words(count: int) -> str:
    return "".join(f"w{index} " for index in range(count))


async def test_everything_that_was_thought_is_heard_in_order():
    chat, voice, face, playout, history = Chat(), Voice(), Face(), Playout(), History("be kind")
    turn = Turn(Engines(voice, face, chat), history, playout)
    await turn.run("hello")
    assert turn.heard == turn.text == words(200)
    assert [message.role for message in history.messages] == ["system", "user", "assistant"]
    assert [shot.audio.start for shot in playout.shots] == list(range(0, 200 * SAMPLES, SAMPLES))
    assert face.closed


async def test_stopping_keeps_only_what_was_heard_and_wastes_only_the_queues():
    chat, voice, face, playout, history = Chat(), Voice(), Face(), Playout(limit=3), History()
    turn = Turn(Engines(voice, face, chat), history, playout)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn.run, "hello")
        await playout.stalled.wait()
        await anyio.wait_all_tasks_blocked()
        assert face.made <= 3 + SHOTS + 2
        assert voice.made <= face.made + CHUNKS + 3
        assert chat.made <= voice.made + TOKENS + 2
        await turn.stop()
    assert turn.heard == words(3)
    assert history.messages[-1] == Message("assistant", words(3).strip())
    assert face.closed


async def test_a_failing_chat_ends_the_answer_early_and_loses_nothing_that_was_said():
    playout, history = Playout(), History()
    turn = Turn(Engines(Voice(), Face(), Chat(fails_at=5)), history, playout)
    with pytest.raises(ExceptionGroup) as caught:
        await turn.run("hello")
    (error,) = caught.value.exceptions
    assert isinstance(error, EngineError)
    assert error.stage == "chat"
    assert turn.heard == words(5)
    assert history.messages[-1].text == words(5).strip()


@pytest.mark.parametrize("fails_at", [0, 1, 50])
async def test_a_failing_face_holds_its_picture_and_the_voice_goes_on(fails_at: int):
    playout = Playout()
    turn = Turn(Engines(Voice(), Face(fails_at=fails_at), Chat()), History(), playout)
    with pytest.raises(ExceptionGroup) as caught:
        await turn.run("hello")
    assert [error.stage for error in caught.value.exceptions] == ["face"]  # type: ignore[attr-defined]
    assert turn.heard == words(200)
    spoken = np.concatenate([shot.audio.pcm for shot in playout.shots])
    assert np.array_equal(spoken, np.repeat(np.arange(1, 201), SAMPLES))
    assert sum(shot.frame is not None for shot in playout.shots) == fails_at


async def test_a_face_that_fails_while_it_waits_for_the_voice_loses_nothing_of_it():
    class Slow(Voice):
        async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
            async for audio in super().speak(text):
                if self.made == 3:
                    given_up.set()
                    await anyio.sleep(0.01)
                yield audio

    class Ahead(Face):
        async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
            read = aiter(audio)
            yield Shot(await anext(read), FRAME)

            async def fail() -> None:
                await given_up.wait()
                raise RuntimeError("the face fell over")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fail)
                while True:
                    await anext(read)

    given_up, playout = anyio.Event(), Playout()
    turn = Turn(Engines(Slow(), Ahead(), Chat(words=20)), History(), playout)
    with pytest.raises(ExceptionGroup):
        await turn.run("hello")
    assert turn.heard == words(20)
    spoken = np.concatenate([shot.audio.pcm for shot in playout.shots])
    assert np.array_equal(spoken, np.repeat(np.arange(1, 21), SAMPLES))


async def test_a_failing_playout_ends_the_turn():
    class Broken(Playout):
        async def play(self, shots: AsyncIterable[Shot]) -> None:
            raise EngineError("playout", "the line is dead")

    face = Face()
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await Turn(Engines(Voice(), face, Chat()), History(), Broken()).run("hello")


async def test_a_stage_that_swallows_its_cancellation_once_still_stops():
    class Stubborn(Face):
        async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
            async for chunk in audio:
                yield Shot(chunk, FRAME)
                with suppress(BaseException):
                    await anyio.sleep_forever()
                await anyio.sleep_forever()

    playout = Playout(limit=1)
    turn = Turn(Engines(Voice(), Stubborn(), Chat()), History(), playout)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn.run, "hello")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await turn.stop()


async def test_say_says_the_text_itself_and_needs_no_chat():
    playout, history = Playout(), History()
    turn = Turn(Engines(Voice(), Face()), history, playout)
    await turn.say("just this")
    assert turn.heard == "just this"
    with pytest.raises(EngineError, match="without one"):
        await Turn(Engines(Voice(), Face()), history, playout).run("hello")
