"""One session's line to the replica that holds its engine, whichever that is."""

from asyncio import CancelledError, current_task
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from secrets import token_hex
from typing import Any, Final, TypeVar

from anyio import CancelScope, create_task_group, current_time, fail_after, sleep
from anyio.abc import TaskGroup

from realtime_avatar.engines.replay import Replay
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.wire import Failed, Gone, Item, Opened, Picture, unpack
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Shot

T = TypeVar("T")

AVOID: Final = "-"
"""Before a replica's id: any other, if there is one."""

_NEVER: Final = float("inf")
_TRIES: Final = 5  # replicas, until a session is given up
_PAUSE: Final = 0.05  # seconds before the second of them, twice that before the third


class Lost(Exception):
    """The replica is gone, or does not answer."""


class Link:
    """Speaks to one session of an engine; made by `linked`.

    Args:
        handle: Of the deployment.
        stage: The kind of engine, for errors.
        options: Of the engine's `open`.
        patience: Seconds after which a replica that owes an answer is left.
        starting: Seconds that a replica may take to start.

    Attributes:
        up: Whether a replica holds the session.
        opened: What it said of it.
        after: Of a face, what another replica needs to go on.
    """

    def __init__(
        self,
        handle: Any,
        stage: str,
        options: Mapping[str, Any],
        *,
        patience: float,
        starting: float,
    ) -> None:
        self._handle, self._stage, self._options = handle, stage, options
        self._patience, self._starting = patience, starting
        self._session, self._hold = "", None
        self._avoid = ""
        self._numbers: Iterator[int] = count(1)
        self._tasks: TaskGroup | None = None
        self.up = False
        self.opened = Opened("", 0)
        self.after: Any = None

    async def connect(self) -> None:
        """Open the session on some replica.

        Raises:
            AvatarError: if the engine does not open it, or there is no replica in time.
        """
        for attempt in range(_TRIES):
            try:
                await self._connect()
                return
            except Lost:
                if attempt:
                    await sleep(_PAUSE * 2**attempt)
        raise EngineError(self._stage, "no machine of the cluster can do this now")

    async def _connect(self) -> None:
        self.close()
        self._session = token_hex(8)
        handle = self._handle.options(stream=True, method_name="hold", session_id=self._avoid)
        self._hold = handle.remote(self._session, self._options, self.after)
        try:
            with fail_after(self._starting):
                self.opened = await self._value(await self._answer(anext(self._hold)))
        except TimeoutError:
            self.close()
            raise EngineError(self._stage, "no machine of the cluster started in time") from None
        except StopAsyncIteration:
            self.close()
            raise Lost("the replica ended the session") from None
        except BaseException:
            self.close()
            raise
        self.up, self._avoid = True, ""

    def leave(self) -> None:
        """Take the replica for lost; another one is better, if there is one."""
        if self.opened.replica:
            self._avoid = AVOID + self.opened.replica
        self.close()

    def close(self) -> None:
        """Let go of the session."""
        self.up = False
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    async def ask(self, verb: str, *args: Any, shown: tuple[int, int] | None = None) -> Any:
        """Return the one thing that a verb gives.

        Raises:
            Lost: if the replica does not answer.
            AvatarError: what the engine raised.
        """
        handle = self._pinned("ask")
        response = handle.remote(self._session, verb, args, shown)
        try:
            with fail_after(self._patience):
                return await self._value(await self._answer(response))
        except TimeoutError:
            response.cancel()
            raise Lost("no answer in time") from None

    async def stream(
        self,
        verb: str,
        *args: Any,
        window: int,
        replay: Replay[Any] | None = None,
        shown: tuple[int, int] | None = None,
        began: Callable[[int], None] | None = None,
    ) -> AsyncGenerator[Any]:
        """Yield what a verb gives.

        Args:
            verb: Of the engine's port.
            args: Of the verb, after the stream that feeds it.
            window: Items that the replica may be ahead.
            replay: Feeds it; from its beginning.
            shown: See `EngineReplica.run`.
            began: Told the stream's number.

        Raises:
            Lost: if the replica is gone or does not go on.
            AvatarError: what the engine raised.
            Exception: what the stream that feeds it raised.
        """
        number, seen, feeding = next(self._numbers), 0, _Feeding()
        if began is not None:
            began(number)
        response = self._pinned("run", stream=True).remote(
            self._session, number, verb, args, fed=replay is not None, window=window, shown=shown
        )
        acknowledge = self._pinned("feed")
        if replay is not None:
            assert self._tasks is not None
            self._tasks.start_soon(self._feed, feeding, number, replay)
        try:
            while True:
                message = None
                with feeding.begin(self._patience, replay):
                    try:
                        message = await self._answer(anext(response))
                    except StopAsyncIteration:
                        break
                if feeding.wait.cancelled_caught:
                    if feeding.error is not None:
                        raise feeding.error
                    raise Lost("no answer in time")
                value = await self._value(message)
                seen = feeding.seen = feeding.seen + 1
                yield value
                if seen % max(1, window // 2) == 0:
                    acknowledge.remote(self._session, number, (), seen)  # nobody waits for it
        finally:
            feeding.scope.cancel()
            response.cancel()
        if feeding.error is not None:
            raise feeding.error

    async def _feed(self, feeding: "_Feeding", number: int, replay: Replay[Any]) -> None:
        feed = self._pinned("feed")
        with feeding.scope:
            try:
                async for item in replay.items():
                    feeding.hurry(self._patience)
                    if not await self._answer(
                        feed.remote(self._session, number, (item,), feeding.seen)
                    ):
                        feeding.fail(Lost("the session is not there any more"))
                        return
                    feeding.taken(replay)
                feeding.hurry(self._patience)
                await self._answer(feed.remote(self._session, number, (), feeding.seen, end=True))
            except Exception as error:  # the stream's consumer is told
                feeding.fail(error)

    @asynccontextmanager
    async def reading(self, replay: Replay[T]) -> AsyncGenerator[Replay[T]]:
        """Read a stream in a task of the session meanwhile."""
        scope = CancelScope()

        async def read() -> None:
            with scope:
                await replay.read()

        assert self._tasks is not None
        self._tasks.start_soon(read)
        try:
            yield replay
        finally:
            scope.cancel()

    def start(self, work: Callable[[], Any]) -> None:
        """Have a task of the session do something that raises nothing."""
        assert self._tasks is not None
        self._tasks.start_soon(work)

    def own(self, tasks: TaskGroup) -> None:
        """Take a task group that lasts as long as the session."""
        self._tasks = tasks

    def _pinned(self, method: str, *, stream: bool = False) -> Any:
        replica = self.opened.replica
        return self._handle.options(stream=stream, method_name=method, session_id=replica)

    async def _value(self, message: Any) -> Any:
        match message:
            case Item(value, after):
                if after is not None:
                    self.after = after
                if isinstance(value, Shot | Picture):
                    return await step(lambda: unpack(value))
                return value
            case Failed(error):
                raise error
            case Gone():
                raise Lost("the session is not there any more")
            case _:
                return message

    async def _answer(self, response: Any) -> Any:
        return await answer(response, self._stage)


async def answer(response: Any, stage: str) -> Any:
    """Await what Ray Serve brings.

    Raises:
        Lost: if the replica or its machine is gone.
        EngineError: if Ray fails otherwise.
        StopAsyncIteration: at the end of a stream.
    """
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException

    try:
        return await response
    except RayTaskError as error:
        raise EngineError(stage, f"a replica failed: {error.cause}") from error
    except (RayError, RayServeException) as error:
        raise Lost(str(error)) from error
    except CancelledError:
        task = current_task()
        if task is not None and task.cancelling():
            raise
        raise Lost("the replica has stopped") from None  # Ray says so in this way


class _Feeding:
    """How the feeding of a stream goes, and how long its replica may take."""

    def __init__(self) -> None:
        self.scope, self.wait = CancelScope(), CancelScope()
        self.seen = 0
        self.error: Exception | None = None
        self._offered = False  # whether the replica has yet to take something

    def begin(self, seconds: float, replay: Replay[Any] | None) -> CancelScope:
        """Return a scope to wait in: without end, if the replica has had all that there is."""
        owed = replay is None or self._offered or not replay.hungry
        self.wait = CancelScope(deadline=current_time() + seconds if owed else _NEVER)
        if self.error is not None:
            self.wait.cancel()
        return self.wait

    def hurry(self, seconds: float) -> None:
        """The replica is to take something, or to come to an end."""
        self._offered = True
        self.wait.deadline = min(self.wait.deadline, current_time() + seconds)

    def taken(self, replay: Replay[Any]) -> None:
        """The replica has taken something."""
        self._offered = False
        if replay.hungry:
            self.wait.deadline = _NEVER

    def fail(self, error: Exception) -> None:
        self.error = error
        self.wait.cancel()


@asynccontextmanager
async def linked(link: Link, *, tasks: bool = False, connect: bool = True) -> AsyncGenerator[Link]:
    """Open a link, and close it in the end.

    Args:
        link: To be opened.
        tasks: Whether the session feeds streams, for which it needs tasks. It is then to be
            closed by the task that opened it.
        connect: Whether to; else that was done, or tried, before.

    Raises:
        AvatarError: if the engine does not open the session.
    """
    if connect:
        await link.connect()
    try:
        if not tasks:
            yield link
            return
        try:
            async with create_task_group() as group:
                link.own(group)
                try:
                    yield link
                finally:
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            [error, *others] = errors.exceptions
            if others:
                raise
            raise error from None  # as it would be without the tasks
    finally:
        link.close()
