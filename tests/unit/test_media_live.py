import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.live import BEHIND, PATIENCE, Beat, LivePlayout
from streams import stream
from virtual_time import VIRTUAL_TIME, VirtualTimeLoop

pytestmark = pytest.mark.anyio
SIZE = 1920


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


def picture(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 3), value % 256, np.uint8)


def shots(count: int, rate: int = 48_000) -> list[Shot]:
    size = rate // 25
    return [
        Shot(Audio(np.full(size, 100 + n, np.int16), rate, n * size, f"w{n} "), picture(100 + n))
        for n in range(count)
    ]


class Face:
    """Makes pictures 1, 2, 3…, each after `seconds`."""

    def __init__(self, seconds: float = 0.01) -> None:
        self.made, self.seconds = 0, seconds

    async def __call__(self) -> NDArray[np.uint8]:
        await anyio.sleep(self.seconds)
        self.made += 1
        return picture(self.made)


@asynccontextmanager
async def running(playout: LivePlayout) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(playout.run)
        yield
        tasks.cancel_scope.cancel()


def seen(beats: Sequence[Beat]) -> list[int | None]:
    return [None if beat.frame is None else int(beat.frame[0, 0, 0]) for beat in beats]


class Reader:
    """Keeps all beats, and when they came."""

    def __init__(self, playout: LivePlayout) -> None:
        self._playout = playout
        self.beats: list[Beat] = []
        self.times: list[float] = []

    async def __call__(self) -> None:
        async with self._playout.beats() as beats:
            async for beat in beats:
                self.beats.append(beat)
                self.times.append(anyio.current_time())

    @property
    def spoken(self) -> list[int]:
        return [int(beat.audio.pcm[0]) for beat in self.beats if beat.speaking]


@asynccontextmanager
async def listening(playout: LivePlayout) -> AsyncGenerator[Reader]:
    reader = Reader(playout)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(playout.run)
        yield reader
        tasks.cancel_scope.cancel()


async def test_beats_come_on_time_for_ten_minutes_without_drift():
    playout = LivePlayout(Face())
    async with listening(playout) as reader:
        await anyio.sleep(600)
    assert len(reader.beats) in (600 * 25, 600 * 25 + 1)
    assert [beat.index for beat in reader.beats] == list(range(len(reader.beats)))
    assert all(beat.audio.start == beat.index * SIZE for beat in reader.beats)
    assert all(beat.audio.samples == SIZE for beat in reader.beats)
    late = np.array(reader.times) - reader.times[0] - np.arange(len(reader.times)) / 25
    assert np.abs(late).max() < 1e-3


async def test_a_short_stall_is_made_up_and_a_long_one_left_out():
    playout = LivePlayout(Face())
    loop = cast("VirtualTimeLoop", asyncio.get_running_loop())
    async with listening(playout) as reader:
        await anyio.sleep(1.001)
        loop.stall(0.16)
        await anyio.sleep(0.001)
        assert [beat.index for beat in reader.beats] == list(range(30))
        loop.stall(60)
        await anyio.sleep(0.1)
    indices = [beat.index for beat in reader.beats]
    assert indices[30] >= 30 + 60 * 25 - 1  # no burst of 1500
    assert indices[31:] == list(range(indices[30] + 1, indices[30] + len(indices) - 30))
    assert reader.times[-1] - reader.times[0] == pytest.approx(indices[-1] / 25, abs=1e-3)


async def test_each_shot_is_one_beat_and_its_words_are_told_when_it_is_sent():
    told: list[tuple[float, str]] = []
    playout = LivePlayout(Face(), words=lambda text: told.append((anyio.current_time(), text)))
    async with listening(playout) as reader:
        await anyio.sleep(0.1)
        await playout.play(stream(shots(10)))
        done = anyio.current_time()
        assert reader.spoken == list(range(100, 110))
        assert playout.sent == 10
        assert playout.stop() == "".join(f"w{n} " for n in range(10))
        assert (playout.sent, playout.unseen) == (0, 0)
        assert playout.stop() == ""
        await anyio.sleep(0.2)
    speech = [beat for beat in reader.beats if beat.speaking]
    assert [beat.index for beat in speech] == list(range(speech[0].index, speech[0].index + 10))
    assert seen(speech) == reader.spoken  # each with its own sound
    assert [text for _, text in told] == [f"w{n} " for n in range(10)]
    times = dict(zip((beat.index for beat in reader.beats), reader.times, strict=True))
    assert [time for time, _ in told] == pytest.approx([times[beat.index] for beat in speech])
    assert done == pytest.approx(times[speech[-1].index] + 0.04)  # when it has been heard
    # The living face goes on at the very next beat, with pictures that nobody has seen.
    around = seen(reader.beats)
    assert None not in around[speech[0].index - 1 : speech[-1].index + 4]


async def test_a_speech_that_is_late_is_filled_with_the_living_face_and_silence():
    playout = LivePlayout(Face())

    async def slow() -> AsyncGenerator[Shot]:
        for shot in shots(3):
            await anyio.sleep(0.39)
            yield shot

    async with listening(playout) as reader:
        await playout.play(slow())
    assert reader.spoken == [100, 101, 102]
    gaps = np.diff([beat.index for beat in reader.beats if beat.speaking])
    assert all(9 <= gap <= 10 for gap in gaps)
    assert not any(beat.audio.pcm.any() for beat in reader.beats if not beat.speaking)
    living = [value for value in seen(reader.beats)[1:] if value is not None and value < 100]
    assert living == sorted(set(living))
    assert seen(reader.beats)[1:].count(None) <= 2  # one held picture after each shot


async def test_a_late_picture_of_the_living_face_is_held():
    playout = LivePlayout(Face(seconds=0.085))
    async with listening(playout) as reader:
        await anyio.sleep(0.99)
    values = seen(reader.beats)
    assert values[:3] == [None, None, None]  # there is none yet
    shown = [value for value in values if value is not None]
    assert shown == list(range(1, len(shown) + 1))
    assert 8 <= len(shown) <= 11  # each goes on for two or three beats
    assert len(values) == 25


async def test_a_picture_made_before_a_shot_is_not_shown_after_it():
    face = Face(seconds=0.5)
    playout = LivePlayout(face)
    async with listening(playout) as reader:
        await playout.play(stream(shots(5)))  # while the first picture is being made
        await anyio.sleep(0.4)
        assert face.made == 1
        assert 1 not in seen(reader.beats)


async def test_pausing_is_silence_at_once_and_resuming_goes_on_where_it_was():
    playout = LivePlayout(Face())
    async with listening(playout) as reader, anyio.create_task_group() as tasks:
        tasks.start_soon(playout.play, stream(shots(20)))
        await anyio.sleep(0.21)
        playout.pause()
        before = len(reader.beats)
        heard = list(reader.spoken)
        await anyio.sleep(1)
        assert not any(beat.speaking for beat in reader.beats[before:])
        assert None not in seen(reader.beats[before:])
        playout.resume()
        await anyio.sleep(2)
        assert heard
        assert reader.spoken == list(range(100, 120))


async def test_a_pause_that_nobody_ends_ends_by_itself():
    playout = LivePlayout(Face())
    async with listening(playout) as reader, anyio.create_task_group() as tasks:
        tasks.start_soon(playout.play, stream(shots(20)))
        await anyio.sleep(0.21)
        playout.pause()
        await anyio.sleep(PATIENCE - 0.5)
        playout.pause()  # another sound: it waits anew
        before = list(reader.spoken)
        await anyio.sleep(PATIENCE - 0.1)
        assert reader.spoken == before
        await anyio.sleep(2)
        assert not playout.paused
        assert reader.spoken == list(range(100, 120))


async def test_stopping_tells_what_was_heard_and_how_much_was_not_seen():
    playout = LivePlayout(Face())
    async with listening(playout) as reader, anyio.create_task_group() as tasks:
        tasks.start_soon(playout.play, stream(shots(20)))
        await anyio.sleep(0.21)
        playout.pause()
        count = len(reader.spoken)
        assert playout.sent == count
        assert playout.stop() == "".join(f"w{n} " for n in range(count))
        assert 0 < playout.unseen <= 3
        await anyio.sleep(0.2)
        assert len(reader.spoken) == count
        await playout.play(stream(shots(2)))  # it was resumed
        assert reader.spoken[count:] == [100, 101]
        assert playout.stop() == "w0 w1 "
        assert playout.unseen == 0


async def test_a_cancelled_speech_is_silent_before_it_is_stopped():
    playout = LivePlayout(Face())
    async with listening(playout) as reader:
        with anyio.move_on_after(0.21):
            await playout.play(stream(shots(20)))
        count = len(reader.spoken)
        await anyio.sleep(0.2)
        assert len(reader.spoken) == count
        assert playout.stop() == "".join(f"w{n} " for n in range(count))
        assert playout.unseen > 0


async def test_there_is_one_speech_at_a_time():
    playout = LivePlayout(Face())
    async with running(playout), anyio.create_task_group() as tasks:
        tasks.start_soon(playout.play, stream(shots(3)))
        await anyio.sleep(0.01)
        with pytest.raises(RuntimeError, match="one speech"):
            await playout.play(stream(shots(1)))


async def test_a_slow_reader_loses_the_oldest_beats_and_nobody_else_does():
    playout = LivePlayout(Face())
    async with listening(playout) as reader, playout.beats() as slow:
        await anyio.sleep(1.99)
        kept = [slow.receive_nowait() for _ in range(slow.statistics().current_buffer_used)]
        assert len(kept) == BEHIND
        assert [beat.index for beat in kept] == [beat.index for beat in reader.beats[-BEHIND:]]
        assert len(reader.beats) >= 50


async def test_a_reader_always_has_the_picture_that_is_shown():
    """One that comes late or lost beats gets it, also while a picture is held."""
    playout = LivePlayout(Face(seconds=0.01))
    held = [Shot(shot.audio, shot.frame if n == 0 else None) for n, shot in enumerate(shots(30))]
    async with running(playout), anyio.create_task_group() as tasks:
        tasks.start_soon(playout.play, stream(held))
        async with playout.beats() as slow:
            await anyio.sleep(0.8)
            first = slow.receive_nowait()
            assert first.speaking
            assert seen([first]) == [100]
        async with playout.beats() as late:
            beats = [await late.receive() for _ in range(3)]
            assert seen(beats) == [100, None, None]


async def test_readers_end_with_the_clock():
    playout = LivePlayout(Face())
    async with anyio.create_task_group() as tasks, playout.beats() as beats:
        tasks.start_soon(playout.run)
        await beats.receive()
        tasks.cancel_scope.cancel()
    with pytest.raises(anyio.EndOfStream):
        async with playout.beats() as beats:
            await beats.receive()


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100])
async def test_any_rate_comes_out_clean_and_less_than_a_millisecond_or_so_late(rate: int):
    size, count = rate // 25, 25
    at = np.arange(size * count) / rate
    pcm = (10_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
    made = [
        Shot(Audio(pcm[n * size : (n + 1) * size], rate, n * size), picture(n))
        for n in range(count)
    ]
    playout = LivePlayout(Face())
    async with listening(playout) as reader:
        await playout.play(stream(made))
    out = np.concatenate([beat.audio.pcm for beat in reader.beats if beat.speaking])
    assert len(out) == 48_000
    delay = 16 / rate
    wanted = 10_000 * np.sin(2 * np.pi * 440 * (np.arange(48_000) / 48_000 - delay))
    assert np.abs(out - wanted)[200:].max() < 12  # -58 dB
    assert delay <= 0.001
