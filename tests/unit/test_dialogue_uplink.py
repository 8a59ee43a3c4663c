from typing import Any

import anyio
import numpy as np
import pytest

from realtime_avatar.dialogue.uplink import Uplink
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


def sound(value: int, seconds: float = 0.02, rate: int = RATE) -> Audio:
    return Audio(np.full(round(seconds * rate), value, np.int16), rate, 0)


async def listen(uplink: Uplink, samples: int) -> Audio:
    pcm: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    async for audio in uplink.audio():
        assert audio.start == sum(map(len, pcm))
        pcm.append(audio.pcm)
        if audio.end >= samples:
            break
    return Audio(np.concatenate(pcm), RATE, 0)


async def test_what_is_said_comes_out() -> None:
    uplink = Uplink()
    uplink.push(sound(1))
    uplink.push(sound(2))
    assert set((await listen(uplink, 640)).pcm[319:321].tolist()) == {1, 2}


async def test_other_rates_are_changed() -> None:
    uplink = Uplink()
    for _ in range(10):
        uplink.push(sound(1000, rate=48_000))
    heard = await listen(uplink, 2000)
    assert abs(int(heard.pcm[1000]) - 1000) < 20


async def test_switched_off_it_is_silent_and_its_time_goes_on() -> None:
    uplink = Uplink()
    uplink.push(sound(1))
    uplink.switch("never")
    uplink.push(sound(2))
    uplink.switch("talk")
    uplink.push(sound(3))
    assert np.unique((await listen(uplink, 960)).pcm).tolist() == [0, 1, 3]


async def test_what_nobody_listened_to_in_time_becomes_silence() -> None:
    uplink = Uplink()
    for second in range(1, 4):
        uplink.push(sound(second, 1.0))
    heard = await listen(uplink, 3 * RATE)
    assert np.unique(heard.pcm[:RATE]).tolist() == [0]
    assert np.unique(heard.pcm[RATE:]).tolist() == [2, 3]


async def test_it_knows_when_a_sample_was_spoken() -> None:
    uplink = Uplink()
    began = anyio.current_time()
    for late in (0.0, 0.05, 0.0):
        await anyio.sleep(0.02 + late)
        uplink.push(sound(1))
    # The jitter of the network is left out.
    assert uplink.spoken_at(0) == pytest.approx(began, abs=1e-3)
    assert uplink.spoken_at(RATE) == pytest.approx(began + 1, abs=1e-3)
