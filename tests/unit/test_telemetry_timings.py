from collections.abc import AsyncGenerator

import pytest

from realtime_avatar.telemetry.timings import Timings
from streams import collect

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that goes only when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_work_and_waiting_are_told_apart():
    clock = Clock()
    timings = Timings(clock)
    timings.begin()

    async def upstream() -> AsyncGenerator[int]:
        for number in range(3):
            clock.now += 10  # what comes before is slow
            yield number

    async def stage() -> AsyncGenerator[int]:
        async for number in timings.waited("voice", upstream()):
            clock.now += 1  # its own work
            yield number * 2

    assert await collect(timings.measured("voice", stage())) == [0, 2, 4]
    voice = timings.stages["voice"]
    assert (voice.first, voice.last, voice.busy, voice.items) == (11, 33, 3, 3)


async def test_a_stage_that_fails_is_measured_until_then():
    clock = Clock()
    timings = Timings(clock)
    timings.begin()

    async def broken() -> AsyncGenerator[int]:
        clock.now += 2
        yield 1
        clock.now += 3
        raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops"):
        await collect(timings.measured("chat", broken()))
    assert timings.stages["chat"].busy == 5
    assert timings.stages["chat"].items == 1


async def test_the_last_stage_has_no_results_but_its_end():
    clock = Clock()
    timings = Timings(clock)
    timings.begin()

    async def shots() -> AsyncGenerator[int]:
        for number in range(4):
            clock.now += 10
            yield number

    with timings.working("playout"):
        async for _ in timings.waited("playout", shots()):
            clock.now += 1
    playout = timings.stages["playout"]
    assert (playout.first, playout.last, playout.busy, playout.items) == (44, 44, 4, 1)
