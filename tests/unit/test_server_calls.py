import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from live import fake_settings
from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.ports import Rig
from realtime_avatar.errors import CapacityError, ConfigError, InputError
from realtime_avatar.server.calls import CONNECT, LOST, Call, Calls, Line, Order
from realtime_avatar.telemetry.metrics import Metrics
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio
ORDER = Order(Rig(64, 64))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


class Session:
    """Says what it is told to; `sentence` seconds are left of what it says now."""

    opened = 0

    def __init__(self) -> None:
        Session.opened += 1
        self.id = f"s{Session.opened}"
        self.commands: list[events.Command] = []
        self.sentence, self.said = 0.0, False
        self.failure = anyio.Event()
        self.tell, self.events = anyio.create_memory_object_stream[events.Event](50)
        self._finish = anyio.Event()

    def command(self, command: events.Command) -> None:
        self.commands.append(command)

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fail)
            await self._finish.wait()
            tasks.cancel_scope.cancel()
        await anyio.sleep(self.sentence)
        self.said = True

    async def _fail(self) -> None:
        await self.failure.wait()
        raise RuntimeError("a bug")

    async def finish(self) -> None:
        self._finish.set()
        while not self.said:  # noqa: ASYNC110 - virtual time
            await anyio.sleep(0.1)


class Wire:
    """A line that lasts until `cut`; a page that shows signs of life while `alive`."""

    def __init__(self, error: Exception | None = None, *, alive: bool = True) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cut = anyio.Event()
        self.alive, self.closed = alive, False
        self._error = error

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[None]:
        if self._error:
            raise self._error
        self._call = call
        try:
            yield
        finally:
            self.closed = True

    async def carry(self) -> None:
        while not self.cut.is_set():
            if self.alive:
                self._call.watch.alive()
            with anyio.move_on_after(1):
                await self.cut.wait()

    async def send(self, message: str) -> None:
        self.sent.append(json.loads(message))


class House:
    def __init__(self, **changes: Any) -> None:
        self.sessions: list[Session] = []
        self.metrics = Metrics()
        self.error: Exception | None = None
        ensemble = Ensemble(fake_settings(**changes))
        self.calls = Calls(ensemble, self.metrics, cast("Any", self.open_session))

    @asynccontextmanager
    async def open_session(
        self, ensemble: Ensemble, rig: Rig, **options: Any
    ) -> AsyncGenerator[Session]:
        if self.error:
            raise self.error
        session = Session()
        self.sessions.append(session)
        with session.tell, session.events:
            yield session

    def figure(self, name: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        return float(next((line.split()[-1] for line in lines if line.startswith(name + " ")), 0))


@asynccontextmanager
async def calling(house: House, line: Wire) -> AsyncGenerator[Call]:
    async with anyio.create_task_group() as tasks:
        call = await tasks.start(house.calls.run, ORDER, cast("Line", line))
        yield call
        line.cut.set()


async def test_events_reach_the_page_in_order_and_commands_the_session():
    house, line = House(), Wire()
    async with calling(house, line) as call:
        (session,) = house.sessions
        for number in range(20):
            session.tell.send_nowait(events.Words(turn=1, text=str(number)))
        await anyio.sleep(0.1)
        assert [event["text"] for event in line.sent] == [str(number) for number in range(20)]
        assert call.command('{"type":"say","text":"hello"}') is None
        assert session.commands == [events.Say(text="hello")]
        assert call.command("{") is not None
        assert len(session.commands) == 1


async def test_a_full_house_refuses_and_has_room_again_when_somebody_leaves():
    house, lines = House(max_sessions=2), [Wire(), Wire()]
    async with calling(house, lines[0]), calling(house, lines[1]) as second:
        assert house.calls.places == 0
        assert house.figure("avatar_sessions") == 2
        with pytest.raises(CapacityError, match="try again") as refused:
            await house.calls.run(ORDER, cast("Line", Wire()))
        assert refused.value.retry_after > 0
        assert house.figure("avatar_sessions_refused_total") == 1
        assert house.calls.hang_up(second.session.id)
        await anyio.sleep(0.1)
        assert lines[1].closed
        assert house.calls.places == 1
        assert not house.calls.hang_up(second.session.id)
    assert house.figure("avatar_sessions") == 0
    assert house.figure('avatar_sessions_ended_total{how="left"}') == 1
    assert house.figure('avatar_sessions_ended_total{how="lost"}') == 1


@pytest.mark.parametrize("where", ["session", "line"])
async def test_a_call_that_cannot_be_opened_frees_its_place(where: str):
    house = House(max_sessions=1)
    house.error = ConfigError("no such voice") if where == "session" else None
    line = Wire(InputError("no offer") if where == "line" else None)
    with pytest.raises((ConfigError, InputError)):
        await house.calls.run(ORDER, cast("Line", line))
    assert house.calls.places == 1
    assert house.figure("avatar_sessions") == 0


async def test_whom_the_device_has_no_room_for_is_refused_like_others():
    house = House(max_sessions=2)
    house.error = CapacityError("the device shows 1 face at once", 10)
    with pytest.raises(CapacityError, match="the device") as refused:
        await house.calls.run(ORDER, cast("Line", Wire()))
    assert refused.value.retry_after == 10
    assert house.figure("avatar_sessions_refused_total") == 1
    assert house.calls.places == 2


async def test_nobody_speaking_ends_the_call_and_says_so():
    house, line = House(idle_seconds=300), Wire()
    async with calling(house, line) as call:
        await anyio.sleep(250)
        call.command('{"type":"stop"}')
        await anyio.sleep(250)
        assert not line.closed
        house.sessions[0].tell.send_nowait(events.Heard(turn=1, text="hm", final=False))
        await anyio.sleep(299)
        assert not line.closed
        await anyio.sleep(3)
        assert line.closed
        assert line.sent[-1]["fatal"]
        assert "5 minutes" in line.sent[-1]["message"]
    assert house.figure('avatar_sessions_ended_total{how="idle"}') == 1


async def test_a_page_that_gives_no_sign_of_life_is_lost():
    house, line = House(), Wire()
    async with calling(house, line):
        await anyio.sleep(100)
        assert not line.closed
        line.alive = False
        await anyio.sleep(LOST - 2)
        assert not line.closed
        await anyio.sleep(4)
        assert line.closed
    assert house.figure('avatar_sessions_ended_total{how="lost"}') == 1


async def test_a_page_that_never_connects_is_lost():
    house, line = House(), Wire(alive=False)
    async with calling(house, line):
        await anyio.sleep(CONNECT - 1)
        assert not line.closed
        await anyio.sleep(3)
        assert line.closed


async def test_a_session_that_fails_tells_its_page_and_disturbs_nobody():
    house, line, other = House(), Wire(), Wire()
    async with calling(house, other), calling(house, line):
        await anyio.sleep(1)
        house.sessions[1].failure.set()
        await anyio.sleep(1)
        assert line.closed
        assert line.sent[-1]["fatal"]
        assert "a bug" not in line.sent[-1]["message"]
        assert not other.closed
        assert house.figure('avatar_sessions_ended_total{how="failed"}') == 1


async def test_finishing_lets_everybody_finish_their_sentence():
    house, lines = House(), [Wire(), Wire()]
    async with calling(house, lines[0]), calling(house, lines[1]):
        house.sessions[0].sentence, house.sessions[1].sentence = 3, 6
        start = anyio.current_time()
        await house.calls.finish(20)
        assert anyio.current_time() - start == pytest.approx(6, abs=0.5)
        assert all(session.said for session in house.sessions)
        assert all(line.closed for line in lines)
        assert all("restarted" in line.sent[-1]["message"] for line in lines)
        with pytest.raises(CapacityError, match="restarted"):
            await house.calls.run(ORDER, cast("Line", Wire()))
    assert house.figure('avatar_sessions_ended_total{how="finished"}') == 2


async def test_finishing_takes_no_longer_than_it_may():
    house, line = House(), Wire()
    async with calling(house, line):
        house.sessions[0].sentence = 600
        start = anyio.current_time()
        await house.calls.finish(5)
        assert anyio.current_time() - start == pytest.approx(5, abs=0.5)
        assert line.closed
        assert not house.sessions[0].said


async def test_a_call_that_is_being_opened_while_the_server_stops_ends_too():
    house, line, opening = House(), Wire(), anyio.Event()
    opened = house.open_session

    @asynccontextmanager
    async def slowly(*arguments: Any, **options: Any) -> AsyncGenerator[Session]:
        opening.set()
        await anyio.sleep(3)
        async with opened(*arguments, **options) as session:
            yield session

    house.calls._open_session = cast("Any", slowly)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.calls.run, ORDER, cast("Line", line))
        await opening.wait()
        await house.calls.finish(20)
        with anyio.fail_after(10):
            while not line.closed:  # noqa: ASYNC110 - virtual time
                await anyio.sleep(0.1)
    assert line.sent[-1]["fatal"]
