"""Batches, deadlines, bounds and steps down, on a device whose time is virtual."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import anyio
import pytest
from anyio import current_time, sleep, sleep_until
from anyio.abc import TaskGroup

from realtime_avatar.engines.executor import Cost, Executor, Seat
from realtime_avatar.errors import CapacityError, EngineError
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


COSTS = {
    "picture": Cost(0.004, 0.002, 8),
    "small": Cost(0.002, 0.0005, 8),
    "motion": Cost(0.020, 0.002, 4),
}


class Clockwork:
    """Takes as long as it costs; remembers what it was given."""

    def __init__(self, slower: float = 1.0) -> None:
        self.slower = slower
        self.batches: list[tuple[str, list[str]]] = []
        self.busy = 0
        self.broken = False

    async def run(self, kind: str, jobs: Sequence[str]) -> Sequence[str]:
        assert self.busy == 0
        self.busy += 1
        self.batches.append((kind, list(jobs)))
        await sleep(self.slower * COSTS[kind].of(len(jobs)))
        self.busy -= 1
        if self.broken:
            raise EngineError("face", "the device failed")
        return [f"{kind} {job}" for job in jobs]


def executor_of(
    device: Clockwork, sessions: int | None = None, most: int | None = None
) -> Executor[str, str]:
    rates = {"picture": 25.0, "motion": 5.0}
    return Executor(device, COSTS, rates, sessions=sessions, most=most)


async def test_what_is_due_together_is_computed_together():
    device = Clockwork()
    executor = executor_of(device, 4)
    found: list[tuple[str, str] | None] = []

    async def session(seat: Seat[str, str], number: int) -> None:
        found.append(await seat.do(f"{number}", current_time() + 0.04, "picture"))

    with ExitStack() as stack:
        seats = [stack.enter_context(executor.seat()) for _ in range(4)]
        async with anyio.create_task_group() as tasks:
            for number, seat in enumerate(seats):
                tasks.start_soon(session, seat, number)
    assert [len(jobs) for _, jobs in device.batches] == [4]
    assert {*found} == {("picture", f"picture {number}") for number in range(4)}


@pytest.mark.parametrize(
    ("sizes", "jobs", "first"), [((1, 2, 8), 3, 2), ((1, 8), 7, 7), ((1, 2, 4), 1, 1), ((), 3, 3)]
)
def test_batches_are_of_the_size_that_takes_least_for_each(
    sizes: tuple[int, ...], jobs: int, first: int
):
    assert Cost(0.003, 0.002, 8, sizes).best(jobs) == first


async def test_the_first_that_is_due_is_the_first_that_is_run():
    device = Clockwork()
    executor = executor_of(device, 9)
    async with anyio.create_task_group() as tasks:
        with executor.seat() as seat:
            tasks.start_soon(do, seat, "running", 0.02, "motion")
            await sleep(0.005)
            for name, due in (("late", 0.09), ("soon", 0.03), ("between", 0.05)):
                tasks.start_soon(do, seat, name, due, "picture")
            tasks.start_soon(do, seat, "window", 0.04, "motion")
            await sleep(0.3)
    assert device.batches[0] == ("motion", ["running"])
    assert device.batches[1][0] == "picture"
    assert device.batches[1][1][0] == "soon"


async def test_a_batch_is_no_larger_than_its_first_can_bear():
    device = Clockwork()
    executor = executor_of(device, 8)
    async with anyio.create_task_group() as tasks:
        with executor.seat() as seat:
            tasks.start_soon(do, seat, "running", 0.02, "motion")
            await sleep(0.001)
            tasks.start_soon(do, seat, "tight", 0.0265, "picture")
            for number in range(5):
                tasks.start_soon(do, seat, f"{number}", 0.2, "picture")
            await sleep(0.3)
    # 20 ms for the window: of the 7.5 ms left, one picture more takes 2.
    assert device.batches[1] == ("picture", ["tight", "0"])


async def test_what_a_batch_is_filled_up_to_counts():
    cost = Cost(0.003, 0.002, 16, (1, 4, 16))
    assert [cost.of(jobs) for jobs in (1, 2, 4, 5)] == pytest.approx([0.003, 0.009, 0.009, 0.033])


async def test_waiting_for_more_is_bounded():
    device = Clockwork()
    executor = executor_of(device, 8)
    with executor.seat() as seat, executor.seat(), executor.seat():
        start = current_time()
        await seat.do("alone", start + 1, "picture")
        assert current_time() - start == pytest.approx(0.004 + 0.004)
        start = current_time()
        await seat.do("urgent", start + 0.004, "picture")
        assert current_time() - start == pytest.approx(0.004)


async def test_sessions_beyond_what_the_device_sustains_are_refused():
    executor = executor_of(Clockwork())
    # A picture in a full batch takes 2.25 ms and a window 6.5: 88.75 ms a second.
    assert executor.capacity == 9
    seats = [executor.seat() for _ in range(9)]
    for seat in seats:
        seat.__enter__()
    with pytest.raises(CapacityError, match="9 faces"), executor.seat():
        pass
    seats[0].__exit__(None, None, None)
    with executor.seat():
        pass


async def test_a_slow_device_still_lets_one_in():
    executor = Executor(Clockwork(), {"picture": Cost(9, 9, 1)}, {"picture": 25.0})
    assert executor.capacity == 1


@pytest.mark.parametrize(
    ("sessions", "most", "places"), [(None, 3, 3), (None, 30, 9), (12, 3, 12), (2, None, 2)]
)
async def test_what_is_set_goes_before_what_the_device_sustains_and_the_process_carries(
    sessions: int | None, most: int | None, places: int
):
    assert executor_of(Clockwork(), sessions, most).capacity == places


async def test_as_many_as_it_sustains_are_in_time():
    late = await play(Clockwork(), sessions=9, seconds=10)
    assert max(late) < 0.040


async def test_an_overloaded_device_steps_down_and_up_again():
    device = Clockwork(slower=3)
    executor = executor_of(device, 9)
    kinds: list[str] = []
    async with anyio.create_task_group() as tasks:
        for number in range(9):
            tasks.start_soon(session_of, executor, number, 4.0, kinds, [])
        await sleep(3.5)
        device.slower = 1
    assert "small" in kinds
    kinds.clear()
    late: list[float] = []
    with executor.seat() as seat:
        seat.step = 1
        for frame in range(260):
            due = current_time() + 0.04
            found = await seat.do(f"{frame}", due, "picture", "small")
            kinds.append(found[0] if found else "nothing")
            late.append(max(0.0, current_time() - due))
            await sleep_until(due)
    assert kinds[:250] == ["small"] * 250
    assert set(kinds[250:]) == {"picture"}
    assert max(late) == 0


async def test_what_is_hopelessly_late_is_left_out_unless_it_must_be():
    device = Clockwork()
    executor = executor_of(device, 9)
    with executor.seat() as seat:
        past = current_time() - 1
        assert await seat.do("picture", past, "picture") is None
        assert device.batches == []
        assert await seat.do("window", past, "motion", must=True) is not None


async def test_who_leads_and_is_cancelled_leaves_the_others_their_results():
    device = Clockwork()
    executor = executor_of(device, 9)
    found: list[tuple[str, str] | None] = []

    async def other(seat: Seat[str, str]) -> None:
        await sleep(0.001)
        found.append(await seat.do("other", current_time() + 1, "picture"))

    async with anyio.create_task_group() as tasks:
        with executor.seat() as seat, executor.seat() as second:
            tasks.start_soon(other, second)
            with anyio.move_on_after(0.005) as scope:
                await seat.do("mine", current_time() + 1, "picture")
            assert current_time() - scope.deadline < 0.01
            await sleep(0.1)
    assert found == [("picture", "picture other")]


async def test_who_is_cancelled_while_waiting_holds_nobody_up():
    device = Clockwork()
    executor = executor_of(device, 9)
    found: list[tuple[str, str] | None] = []

    async def last(seat: Seat[str, str]) -> None:
        found.append(await seat.do("last", current_time() + 0.1, "picture"))

    async with anyio.create_task_group() as tasks:
        with executor.seat() as seat:
            tasks.start_soon(do, seat, "running", 1.0, "motion")
            await sleep(0.001)
            tasks.start_soon(last, seat)
            with anyio.move_on_after(0.005):
                await seat.do("mine", current_time() + 0.05, "picture")
            await sleep(0.2)
    assert found == [("picture", "picture last")]
    assert [jobs for _, jobs in device.batches] == [["running"], ["last"]]


async def test_a_failure_is_told_to_all_of_the_batch_and_the_next_one_runs():
    device = Clockwork()
    device.broken = True
    executor = executor_of(device, 9)
    with executor.seat() as seat:
        with pytest.raises(EngineError, match="device failed"):
            await seat.do("one", current_time() + 1, "picture")
        device.broken = False
        assert await seat.do("two", current_time() + 1, "picture") == ("picture", "picture two")


class Piecemeal(Clockwork):
    """Does motion in pieces, as many as it is told."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces, self.done = pieces, 0

    async def run(self, kind: str, jobs: Sequence[str]) -> Sequence[str] | None:  # type: ignore[override]
        if kind != "motion":
            return await super().run(kind, jobs)
        self.batches.append((kind, list(jobs)))
        await sleep(COSTS[kind].of(len(jobs)) / self.pieces)
        self.done = self.done % self.pieces + 1
        return [f"{kind} {job}" for job in jobs] if self.done == self.pieces else None


async def test_pictures_come_between_the_pieces_of_what_takes_long():
    device = Piecemeal(5)
    executor = executor_of(device, 9)
    found: list[tuple[str, str] | None] = []

    async def think(seat: Seat[str, str], name: str) -> None:
        found.append(await seat.do(name, current_time() + 0.1, "motion", must=True))

    with executor.seat() as seat:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(think, seat, "one")
            await sleep(0.005)
            tasks.start_soon(think, seat, "two")  # does not get in between
            start = current_time()
            await seat.do("picture", start + 0.015, "picture")
            # The piece that ran, and no more of them: it would be 19 ms without pieces.
            assert current_time() - start < 0.004 + 0.004
    kinds = [kind for kind, _ in device.batches]
    assert kinds.index("picture") < 5
    assert [jobs for kind, jobs in device.batches if kind == "motion"] == [["one"]] * 5 + [
        ["two"]
    ] * 5
    assert found == [("motion", "motion one"), ("motion", "motion two")]


async def test_what_takes_long_and_has_time_waits_for_others_to_be_computed_with():
    async def think(seat: Seat[str, str], name: str, asked: float, within: float) -> None:
        await sleep_until(asked)
        found = await seat.do(name, current_time() + within, "motion", must=True)
        assert found == ("motion", f"motion {name}")
        ended[name] = current_time() - asked

    async def batches(*jobs: tuple[float, float], seats: int) -> list[list[str]]:
        device = Piecemeal(5)
        costs = {**COSTS, "motion": replace(COSTS["motion"], parts=5)}
        executor: Executor[str, str] = Executor(device, costs, {"motion": 5.0}, sessions=9)
        start = current_time()
        with ExitStack() as stack:
            places = [stack.enter_context(executor.seat()) for _ in range(seats)]
            async with anyio.create_task_group() as tasks:
                for number, (after, within) in enumerate(jobs):
                    seat = places[number % seats]
                    tasks.start_soon(think, seat, "abcdef"[number], start + after, within)
        return [names for _, names in device.batches[::5]]

    ended: dict[str, float] = {}
    assert await batches((0, 1.0), (0.3, 1.0), (0.6, 1.0), seats=4) == [["a", "b"], ["c"]]
    assert ended["a"] == pytest.approx(0.5 + 0.022)
    # Those in a hurry do not wait, and take along those that do.
    assert await batches((0, 1.0), (0.1, 0.1), seats=4) == [["b", "a"]]
    assert ended["b"] == pytest.approx(0.022)
    # Nor does a batch that is full, or who is alone.
    full = [(0, 1.0), (0, 1.0), (0, 1.0), (0.1, 1.0)]
    assert await batches(*full, seats=4) == [["a", "b", "c", "d"]]
    assert ended["a"] == pytest.approx(0.1 + 0.026)
    assert await batches((0, 1.0), seats=1) == [["a"]]
    assert ended["a"] == pytest.approx(0.020)


async def test_what_nobody_waits_for_any_more_is_not_finished():
    device = Piecemeal(5)
    executor = executor_of(device, 9)
    with executor.seat() as seat:
        with anyio.move_on_after(0.005):
            await seat.do("gone", current_time() + 0.1, "motion", must=True)
        device.done = 0
        assert await seat.do("next", current_time() + 0.1, "motion", must=True) is not None
    assert [jobs for _, jobs in device.batches].count(["gone"]) < 5
    assert [jobs for _, jobs in device.batches].count(["next"]) == 5


async def test_the_last_step_down_is_not_the_devices():
    device = Clockwork()
    executor = executor_of(device, 9)

    async def elsewhere() -> str:
        return "mesh"

    with executor.seat() as seat:
        seat.step = 2
        kinds = ("picture", "small", "mesh")
        found = await seat.do("x", current_time() + 0.04, *kinds, elsewhere=elsewhere)
        assert found == ("mesh", "mesh")
        assert device.batches == []
        seat.step = 0
        found = await seat.do("x", current_time() + 0.04, *kinds, elsewhere=elsewhere)
        assert found == ("picture", "picture x")


async def test_nobody_steps_up_while_the_device_has_no_time_for_it():
    executor = executor_of(Clockwork(), 20)
    # A session more at its best takes 25 x (2.25 - 0.69) ms of a second: 20 do not go in.
    steps: list[int] = []

    async def session(number: int) -> None:
        with executor.seat() as seat:
            seat.step = 1
            start = current_time() + number * 0.002
            for frame in range(600):
                due = start + (frame + 1) / 25
                await sleep_until(due - 0.04)
                await seat.do(f"{number}", due, "picture", "small")
            steps.append(seat.step)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(session, number)
    assert 3 < steps.count(0) < 16


async def do(seat: Seat[str, str], name: str, due: float, kind: str) -> None:
    await seat.do(name, current_time() + due, kind, must=True)


async def play(device: Clockwork, sessions: int, seconds: float) -> list[float]:
    executor = executor_of(device, sessions)
    late: list[float] = []
    async with anyio.create_task_group() as tasks:
        for number in range(sessions):
            tasks.start_soon(session_of, executor, number, seconds, [], late)
    return late


async def session_of(
    executor: Executor[str, str],
    number: int,
    seconds: float,
    kinds: list[str],
    late: list[float],
) -> None:
    start = current_time() + number * 0.003
    with executor.seat() as seat:
        async with anyio.create_task_group() as tasks:
            await session_in(seat, tasks, start, number, seconds, kinds, late)


async def session_in(
    seat: Seat[str, str],
    tasks: TaskGroup,
    start: float,
    number: int,
    seconds: float,
    kinds: list[str],
    late: list[float],
) -> None:
    for frame in range(int(seconds * 25)):
        due = start + (frame + 1) / 25
        await sleep_until(due - 0.04)
        if frame % 5 == 0:  # of the pictures after the next five
            tasks.start_soon(do, seat, f"{number}", 0.2, "motion")
        found = await seat.do(f"{number}", due, "picture", "small")
        kinds.append(found[0] if found else "nothing")
        late.append(max(0.0, current_time() - due))
