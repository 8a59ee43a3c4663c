"""All conversations of one server: who gets a place, and how each of them ends."""

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import structlog
from anyio import (
    TASK_STATUS_IGNORED,
    CancelScope,
    EndOfStream,
    Event,
    WouldBlock,
    create_task_group,
    current_time,
    move_on_after,
    sleep,
)
from anyio.abc import TaskStatus

from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.record import Record
from realtime_avatar.dialogue.session import Session, open_session
from realtime_avatar.engines.ports import Message, Rig
from realtime_avatar.errors import CapacityError
from realtime_avatar.server.watch import Watch
from realtime_avatar.telemetry.metrics import Metrics
from realtime_avatar.telemetry.traces import TurnSpans
from realtime_avatar.thinking.persona import Persona

How = Literal["left", "lost", "idle", "finished", "failed"]
OpenSession = Callable[..., AbstractAsyncContextManager[Session]]

CONNECT = 20.0
"""Seconds that a connection may take to come about."""

LOST = 12.0
"""Seconds without a sign of life after which nobody is there any more."""

_RETRY: Final = 30.0  # seconds, told to those who are refused
_RESTART: Final = "the server is being restarted"
_LAST_WORD: Final = 1.0  # seconds for the message that says why


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for.

    Attributes:
        rig: The avatar.
        language: To keep to, ISO 639-1; empty: the settings'.
        voice: "engine:speaker"; empty: the settings'.
        history: Of the conversation that goes on.
        record: Keeps what is said.
        persona: Who the avatar is; by default as the settings say.
    """

    rig: Rig
    language: str = ""
    voice: str = ""
    history: Sequence[Message] = ()
    record: Record = field(default_factory=Record)
    persona: Persona | None = None


class Call:
    """One conversation and its connection.

    Attributes:
        session: The conversation.
        record: Keeps it.
        watch: What is seen of it.
        rig: Who is seen in it.
        how: How it ended.
    """

    def __init__(
        self,
        session: Session,
        watch: Watch,
        record: Record | None = None,
        rig: Rig | None = None,
    ) -> None:
        self.session, self.watch, self.rig = session, watch, rig
        self.record = record or Record()
        self.how: How = "lost"
        self.held: events.Event | None = None  # what the page is being told
        self.notice = ""
        self.scope = CancelScope()
        self.over = Event()

    def command(self, message: str | bytes) -> events.Problem | None:
        """Give the session a message of the page; return what is wrong with it, if anything."""
        try:
            command = events.parse_command(message)
        except ValueError:
            return events.Problem(message="that message was not understood")
        self.watch.command(command)
        self.session.command(command)
        return None

    def end(self, how: How, notice: str = "") -> None:
        """End it, and say why; only the first end counts."""
        if not self.scope.cancel_called:
            self.how, self.notice = how, notice
            self.scope.cancel()


class Line(Protocol):
    """How a call reaches its page: WebRTC or a WebSocket."""

    def open(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Connect; let go of everything at the end.

        Raises:
            InputError: if what the page sent makes no sense.
        """
        ...

    async def carry(self) -> None:
        """Carry sound, pictures and commands; return when the connection is gone."""
        ...

    async def send(self, message: str) -> None:
        """Send the page a JSON message, in order; wait while the connection is not open."""
        ...


class Calls:
    """The calls of one server.

    Args:
        ensemble: Their engines.
        metrics: Where they are counted.
        open_session: Makes a session; to be replaced in tests.
    """

    def __init__(
        self, ensemble: Ensemble, metrics: Metrics, open_session: OpenSession = open_session
    ) -> None:
        self._ensemble, self._metrics, self._open_session = ensemble, metrics, open_session
        self._settings = ensemble.settings
        self._calls: dict[str, Call] = {}
        self._taken = 0
        self._quiet = Event()
        self._quiet.set()
        self._closing = False
        self._log = structlog.stdlib.get_logger("realtime_avatar")
        metrics.places.set(self._settings.max_sessions)

    @property
    def places(self) -> int:
        """How many more there is room for."""
        return 0 if self._closing else max(0, self._settings.max_sessions - self._taken)

    @property
    def talking(self) -> bool:
        """Whether anybody speaks, or waits for an answer, or listens to one."""
        return any(call.session.state != "idle" for call in self._calls.values())

    async def quiet(self) -> None:
        """Wait until nobody is in a conversation."""
        await self._quiet.wait()

    async def run(
        self, order: Order, line: Line, *, task_status: TaskStatus[Call] = TASK_STATUS_IGNORED
    ) -> None:
        """Hold one call from its beginning to its end.

        `task_status` is told of the call when it is connected; what goes wrong after that
        is told to the person and logged.

        Raises:
            CapacityError: if there is no place.
            AvatarError: if the session cannot be opened, or the line.
        """
        with self._place(), self._refusals():
            async with self._open_session(
                self._ensemble,
                order.rig,
                language=order.language,
                voice=order.voice,
                history=order.history,
                record=order.record,
                persona=order.persona,
            ) as session:
                settings = self._settings
                spans = TurnSpans(session.id) if settings.otel else None
                watch = Watch(self._metrics, spans, FPS, log_speech=settings.log_speech)
                call = Call(session, watch, order.record, order.rig)
                with structlog.contextvars.bound_contextvars(session=session.id):
                    async with line.open(call):
                        self._calls[session.id] = call
                        if self._closing:  # meanwhile
                            call.end("finished", _RESTART)
                        try:
                            task_status.started(call)
                            await self._hold(call, line)
                        finally:
                            del self._calls[session.id]
                            call.over.set()

    def hang_up(self, session: str) -> bool:
        """End a call because its page says so; return whether there is one."""
        call = self._calls.get(session)
        if call is None:
            return False
        call.end("left")
        return True

    def withdraw(self, rig: Rig) -> None:
        """End the calls with an avatar to which consent was withdrawn."""
        for call in list(self._calls.values()):
            if call.rig is rig:
                call.end("failed", "consent to this portrait was withdrawn")

    async def finish(self, seconds: float) -> None:
        """Take no new calls; let each avatar finish its sentence; end all calls.

        Args:
            seconds: How long they may take.
        """
        self._closing = True
        calls = list(self._calls.values())
        with move_on_after(seconds):
            async with create_task_group() as tasks:
                for call in calls:
                    tasks.start_soon(call.session.finish)
        for call in calls:
            call.end("finished", _RESTART)
            await call.over.wait()

    async def _hold(self, call: Call, line: Line) -> None:
        began = current_time()
        self._log.info("session opened", sessions=len(self._calls))
        try:
            with call.scope:
                async with create_task_group() as tasks:
                    for task in (self._converse, self._look_after):
                        tasks.start_soon(task, call)
                    tasks.start_soon(self._tell, call, line)
                    await line.carry()
                    call.end("lost")
        except Exception:  # the others go on
            call.how, call.notice = "failed", "something went wrong in this conversation"
            self._log.exception("session failed")
        finally:
            with move_on_after(_LAST_WORD, shield=True):
                if call.how == "finished":
                    await self._tell_rest(call, line)
                if call.notice:
                    stage = "restart" if call.how == "finished" else ""  # the page calls again
                    last = events.Problem(message=call.notice, stage=stage, fatal=True)
                    await line.send(last.model_dump_json())
            call.watch.close()
            self._metrics.ended.labels(call.how).inc()
            seconds = round(current_time() - began, 1)
            self._log.info("session ended", how=call.how, seconds=seconds, turns=call.watch.turns)

    async def _converse(self, call: Call) -> None:
        await call.session.run()
        call.end("finished", _RESTART)

    async def _tell(self, call: Call, line: Line) -> None:
        async for event in call.session.events:
            call.watch.event(event)
            call.held = event
            await self._tell_held(call, line)

    async def _tell_held(self, call: Call, line: Line) -> None:
        if call.held is not None:
            settled = await call.record.settled(call.held)
            await line.send(settled.model_dump_json())
            call.held = None

    async def _tell_rest(self, call: Call, line: Line) -> None:
        """Tell the page what was still to be told when the call ended."""
        await self._tell_held(call, line)
        with suppress(WouldBlock, EndOfStream):
            while True:
                call.held = call.session.events.receive_nowait()
                call.watch.event(call.held)
                await self._tell_held(call, line)

    async def _look_after(self, call: Call) -> None:
        """End a call that nobody takes part in any more."""
        watch, allowed = call.watch, self._settings.idle_seconds
        began = current_time()
        while True:
            await sleep(1)
            now = current_time()
            if now - watch.active > allowed:
                minutes = f"{allowed / 60:.0f} minutes" if allowed >= 120 else f"{allowed:.0f} s"
                call.end("idle", f"nobody has said anything for {minutes}")
            elif now > (began + CONNECT if watch.seen is None else watch.seen + LOST):
                call.end("lost")

    @contextmanager
    def _refusals(self) -> Generator[None]:
        """Count those whom a device has no room for, though there is a place: films take it."""
        try:
            yield
        except CapacityError:
            self._metrics.refused.inc()
            raise

    @contextmanager
    def _place(self) -> Generator[None]:
        if not self.places:
            self._metrics.refused.inc()
            if self._closing:
                raise CapacityError(f"{_RESTART}; please try again", 5)
            raise CapacityError(
                "everybody is in a conversation now; please try again in half a minute", _RETRY
            )
        self._taken += 1
        if self._quiet.is_set():
            self._quiet = Event()
        self._metrics.sessions.inc()
        try:
            yield
        finally:
            self._taken -= 1
            if not self._taken:
                self._quiet.set()
            self._metrics.sessions.dec()
            # Peer connections are cycles that hold threads and encoders. What was there
            # before the first call is frozen (`open_service`), so this takes milliseconds.
            gc.collect()
