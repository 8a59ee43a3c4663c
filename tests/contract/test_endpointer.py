from pathlib import Path

import anyio
import pytest

from realtime_avatar.engines.ports import EndpointerEngine
from realtime_avatar.media import Audio
from realtime_avatar.media.read import read_audio
from realtime_avatar.media.resample import resample

pytestmark = pytest.mark.anyio


@pytest.fixture
def speech(recordings: Path) -> Audio:
    return read_audio(recordings / "arctic_a0009.wav")


async def test_a_probability_comes_for_sound_of_any_length_rate_and_start(
    endpointer_engine: EndpointerEngine, speech: Audio
):
    async with endpointer_engine.open() as endpointer:
        for audio in (
            speech,
            resample(Audio(speech.pcm, speech.rate, 12_345), 48_000),
            Audio(speech.pcm[:100], speech.rate, 0),
            Audio.silence(0, 16_000),
            Audio.silence(16_000 * 20, 16_000),
        ):
            assert 0 <= await endpointer.finished(audio) <= 1


async def test_the_rate_makes_no_difference(endpointer_engine: EndpointerEngine, speech: Audio):
    async with endpointer_engine.open() as endpointer:
        one = await endpointer.finished(speech)
        other = await endpointer.finished(resample(speech, 48_000))
    assert one == pytest.approx(other, abs=0.1)


async def test_a_cancelled_session_can_be_used_again(
    endpointer_engine: EndpointerEngine, speech: Audio
):
    async with endpointer_engine.open() as endpointer:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await endpointer.finished(speech)
        assert scope.cancelled_caught
        assert 0 <= await endpointer.finished(speech) <= 1


async def test_two_sessions_do_not_disturb_each_other(
    endpointer_engine: EndpointerEngine, speech: Audio
):
    found: list[float] = []

    async def judge() -> None:
        async with endpointer_engine.open() as endpointer:
            found.append(await endpointer.finished(speech))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(judge)
        tasks.start_soon(judge)
    assert found[0] == found[1]
