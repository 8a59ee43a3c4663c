"""Requests of programs queue, and stand back for people who talk."""

import pytest
from anyio import Event, create_task_group, current_time, sleep

from realtime_avatar.errors import CapacityError
from realtime_avatar.server.admission import LONGEST, PATIENCE, Admission
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


async def test_so_many_work_so_many_wait_and_the_rest_is_refused():
    admission = Admission(2, 3, lambda: False)
    most, refused, done = 0, list[float](), 0

    async def job() -> None:
        nonlocal most, done
        try:
            async with admission.place():
                most = max(most, admission.running)
                await sleep(10)
                done += 1
        except CapacityError as error:
            refused.append(error.retry_after)

    async with create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(job)
    assert (most, done, len(refused)) == (2, 5, 4)
    assert all(1 <= after <= 120 for after in refused)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_it_says_when_to_come_again_by_what_jobs_took():
    admission = Admission(1, 0, lambda: False)
    for _ in range(30):
        async with admission.place():
            await sleep(40)
    async with admission.place():
        with pytest.raises(CapacityError) as refused:
            async with admission.place():
                pass
    assert refused.value.retry_after == pytest.approx(40, abs=1)


async def test_it_begins_in_a_pause_of_the_conversation():
    talking = True

    async def fall_silent() -> None:
        nonlocal talking
        await sleep(1)
        talking = False

    admission, began = Admission(1, 1, lambda: talking), current_time()
    async with create_task_group() as tasks:
        tasks.start_soon(fall_silent)
        async with admission.place():
            assert current_time() - began == pytest.approx(1, abs=0.1)


async def test_it_does_not_wait_for_ever_for_one():
    admission, began = Admission(1, 1, lambda: True), current_time()
    async with admission.place():
        assert current_time() - began == pytest.approx(PATIENCE, abs=0.1)


async def test_what_hangs_is_ended():
    admission, began = Admission(1, 1, lambda: False), current_time()
    with pytest.raises(CapacityError, match="15 minutes"):
        async with admission.place():
            await sleep(10_000)
    assert current_time() - began == pytest.approx(LONGEST)
    assert admission.running == 0


async def test_whoever_leaves_gives_up_the_place():
    admission, begun = Admission(1, 5, lambda: False), Event()

    async def job() -> None:
        async with admission.place():
            begun.set()
            await sleep(1000)

    async with create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(job)
        await begun.wait()
        assert (admission.running, admission.waiting) == (1, 2)
        tasks.cancel_scope.cancel()
    assert (admission.running, admission.waiting) == (0, 0)
