"""Motion that is made ahead of its pictures; time is virtual."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import anyio
import numpy as np
import pytest
from anyio import current_time, sleep

pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")

from realtime_avatar.engines.runtime import beside
from realtime_avatar.errors import EngineError
from realtime_avatar.face.ditto.ahead import Floats, Life, Speech
from realtime_avatar.face.ditto.windows import NEW, USUAL, MotionStream
from realtime_avatar.media.audio import Audio
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio
RATE = 16_000
CHUNK = RATE // 5
STREAM = cast("MotionStream", None)  # whose motion is of no interest here


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Hear at once: virtual time does not wait for threads."""

    async def step(work: Callable[[], Floats]) -> Floats:
        await anyio.lowlevel.checkpoint()
        return work()

    monkeypatch.setattr("realtime_avatar.face.ditto.ahead.step", step)


class Ears:
    """Hears in each frame how many samples there were before it."""

    def __init__(self) -> None:
        self.heard = 0

    def push(self, audio: Audio) -> Floats:
        return self.finish(audio.samples * 25 // audio.rate)

    def finish(self, frames: int) -> Floats:
        self.heard += frames
        return np.arange(self.heard - frames, self.heard, dtype=np.float32)[:, None]


class Mover:
    """Takes a while for each window; remembers them."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.windows: list[tuple[float, int, float]] = []
        self.fails_at = fails_at

    async def __call__(self, stream: MotionStream, cond: Floats, within: float) -> Floats:
        self.windows.append((current_time(), len(cond), within))
        await sleep(0.02)
        if len(self.windows) == self.fails_at:
            raise EngineError("face", "the device failed")
        return cond


async def voice(chunks: int, pause: float = 0) -> AsyncGenerator[Audio]:
    for number in range(chunks):
        await sleep(pause)
        yield Audio(np.zeros(CHUNK, np.int16), RATE, number * CHUNK)


def speech_of(audio: AsyncGenerator[Audio], mover: Mover) -> Speech:
    return Speech(audio, STREAM, cast("Any", Ears()), lambda _: np.zeros(1, np.float32), mover, 25)


async def shown(speech: Speech, seconds: float = 0.04) -> list[tuple[float, float]]:
    """Take a speech's shots, one each so many seconds; return what was in each, and when."""
    found: list[tuple[float, float]] = []
    while (said := await speech.take()) is not None:
        found.append((float(said[1][0]), current_time()))
        await sleep(seconds)
    return found


async def test_the_first_window_comes_early_and_later_ones_long_before_they_are_needed():
    mover = Mover()
    async with beside() as tasks:
        speech = speech_of(voice(30), mover)
        tasks.start_soon(speech.run)
        start = current_time()
        frames = await shown(speech)
    assert [row for row, _ in frames] == list(range(150))  # all of it, in order
    assert frames[0][1] - start == pytest.approx(0.02)
    # A shot each 40 ms: none had to wait for its motion.
    assert np.allclose(np.diff([at for _, at in frames]), 0.04)
    sizes = [size for _, size, _ in mover.windows]
    assert sizes[0] == 5
    assert set(sizes[3:-1]) == {USUAL}
    withins = [within for _, size, within in mover.windows if size == USUAL]
    assert mover.windows[0][2] == pytest.approx(0.1)
    assert min(withins[2:]) > 0.5


async def test_a_voice_that_is_no_faster_than_it_is_heard_is_moved_as_it_comes():
    mover = Mover()
    async with beside() as tasks:
        speech = speech_of(voice(10, 0.2), mover)
        tasks.start_soon(speech.run)
        frames = await shown(speech)
    assert len(frames) == 50
    assert [size for _, size, _ in mover.windows] == [5] * 10
    assert {within for _, _, within in mover.windows} == {0.1}


async def test_what_fails_is_told_after_what_was_made_before():
    async with beside() as tasks:
        speech = speech_of(voice(10), Mover(fails_at=2))
        tasks.start_soon(speech.run)
        for row in range(5):
            said = await speech.take()
            assert said is not None
            assert said[1][0] == row
        with pytest.raises(EngineError, match="the device failed"):
            await speech.take()


async def test_a_speech_that_is_stopped_has_let_go_of_its_voice():
    over = anyio.Event()

    async def endless() -> AsyncGenerator[Audio]:
        try:
            async for audio in voice(10_000):
                yield audio
        finally:
            over.set()

    audio = endless()
    async with beside() as tasks:
        speech = speech_of(audio, Mover())
        tasks.start_soon(speech.run)
        assert await speech.take() is not None
        await speech.stop()
        assert 0 < speech.left < 2 * NEW
        await audio.aclose()  # fails if it is still being read
        assert over.is_set()


async def test_life_is_made_before_it_is_needed_and_outlives_a_failure():
    mover = Mover(fails_at=2)
    async with beside() as tasks:
        life = Life(STREAM, np.zeros(1, np.float32), mover, 25, tasks)
        times: list[float] = []
        for _ in range(3 * NEW):
            await life.take()
            times.append(current_time())
            await sleep(0.04)
    assert np.allclose(np.diff(times), 0.04)
    assert all(within == 1.0 for _, _, within in mover.windows[1:])


async def test_life_that_cannot_be_made_is_an_error_until_it_can():
    mover = Mover(fails_at=1)
    async with beside() as tasks:
        life = Life(STREAM, np.zeros(1, np.float32), mover, 25, tasks)
        with pytest.raises(EngineError, match="the device failed"):
            await life.take()
        assert len(await life.take()) == 1
