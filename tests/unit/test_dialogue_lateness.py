from collections.abc import Callable
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_avatar.dialogue.lateness import Punctual
from realtime_avatar.media import Audio, Shot
from streams import stream
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio
RATE, SIZE = 1000, 40
FRAME = np.zeros((2, 2, 3), np.uint8)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


def speech(frames: int) -> Audio:
    return Audio(np.arange(frames * SIZE, dtype=np.int16), RATE, 0, "words")


async def play(
    delays: list[float],
    spoken: list[Audio],
    known: int = 100,
    skip: Callable[[int], None] = lambda _: None,
) -> list[tuple[float, Shot]]:
    """Show the speech with a face that takes so long for each shot; return what came when.

    Only so many chunks of the speech are known to be there.
    """
    whole = np.concatenate([audio.pcm for audio in spoken])

    async def face(sink: anyio.abc.ObjectSendStream[Shot]) -> None:
        async with sink:
            for n, delay in enumerate(delays):
                await anyio.sleep(delay)
                pcm = whole[n * SIZE : (n + 1) * SIZE]
                await sink.send(Shot(Audio(pcm, RATE, n * SIZE, "words" if n == 0 else ""), FRAME))

    punctual = Punctual(25, skip)
    async for _ in punctual.spoken(stream(spoken[:known])):
        pass
    send, receive = anyio.create_memory_object_stream[Shot](5)
    came: list[tuple[float, Shot]] = []
    async with anyio.create_task_group() as tasks, receive:
        tasks.start_soon(face, send)
        start, shots = anyio.current_time(), punctual.shots(receive)
        came += [(anyio.current_time() - start, shot) async for shot in shots]
    return came


async def test_a_face_in_time_is_passed_on() -> None:
    came = await play([0.03] * 6, [speech(6)])
    assert all(shot.frame is not None for _, shot in came)
    assert len(came) == 6


async def test_the_first_shot_is_waited_for() -> None:
    came = await play([0.5, 0.03], [speech(2)])
    assert [shot.frame is None for _, shot in came] == [False, False]
    assert came[0][0] == pytest.approx(0.5)


async def test_a_late_picture_is_left_out_and_every_sample_heard_once() -> None:
    came = await play([0.01, 0.01, 0.15, 0, 0, 0, 0], [speech(3), *_later(speech(7), 3)])
    assert [shot.frame is None for _, shot in came] == [
        False,
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    heard = np.concatenate([shot.audio.pcm for _, shot in came])
    assert np.array_equal(heard, speech(7).pcm)
    assert "".join(shot.audio.text for _, shot in came) == "words"
    # None comes later than a shot a beat would want it.
    assert all(at <= came[0][0] + n / 25 + 1e-6 for n, (at, _) in enumerate(came))


async def test_a_late_face_is_told_what_to_leave_out() -> None:
    skipped: list[int] = []
    await play([0.01, 0.01, 0.15, 0, 0, 0, 0], [speech(7)], skip=skipped.append)
    # The one that is held, and the next, which could not be made in time either.
    assert skipped == [4 * SIZE, 5 * SIZE, 6 * SIZE]


async def test_a_second_picture_that_is_late_takes_no_third_with_it() -> None:
    skipped: list[int] = []
    came = await play([0.01, 0.06, 0.01, 0.01], [speech(4)], skip=skipped.append)
    assert skipped == [2 * SIZE]
    assert [shot.frame is None for _, shot in came] == [False, True, False, False]


async def test_a_late_voice_is_waited_for() -> None:
    came = await play([0.01, 0.01, 0.5], [speech(2), *_later(speech(3), 2)], known=1)
    assert [shot.frame is None for _, shot in came] == [False] * 3


def _later(whole: Audio, frames: int) -> list[Audio]:
    at = frames * SIZE
    return [Audio(whole.pcm[at:], RATE, at)]
