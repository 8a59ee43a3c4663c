"""One replica of an engine: the far side of `engines.remote`.

A session is one streaming request, `hold`, which lasts as long as it does: so the requests that
go on are the sessions that are open, and Ray Serve scales by them. What a session does are
requests of their own, which reach the replica by its id (`engines.affinity`).
"""

import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from anyio import (
    BrokenResourceError,
    CancelScope,
    ClosedResourceError,
    Event,
    Semaphore,
    create_memory_object_stream,
    move_on_after,
)

from realtime_avatar.engines.ports import RefiningVoiceEngine, ResumableFace
from realtime_avatar.engines.registry import Context, Kind, load
from realtime_avatar.engines.runtime import step
from realtime_avatar.engines.wire import (
    About,
    Failed,
    Frames,
    Gone,
    Item,
    Message,
    Opened,
    Shared,
    in_words,
    pack,
)
from realtime_avatar.errors import AvatarError, CapacityError
from realtime_avatar.media import Shot
from realtime_avatar.models.store import ModelStore

_LEASE: Final = 600.0  # seconds without a word after which a session is given up
_RIGS: Final = 64  # that a replica keeps
_RETRY_S: Final = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replica runs.

    Attributes:
        kind: Of the engine.
        name: Of the engine.
        options: Its own.
        threads: How many it may compute with.
        sessions: At most so many at once.
        frames: How its pictures travel.
        models: Folder of the model store; by default in the cache of the user of each machine.
        offline: Whether to fetch nothing.
    """

    kind: Kind
    name: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    threads: int = 1
    sessions: int = 8
    frames: Frames = "nv12"
    models: Path | None = None
    offline: bool = True


class EngineReplica:
    """Holds one engine and the sessions that are open on it.

    An engine that cannot be loaded is no error here, as Ray Serve would only try again: whoever
    asks is told.
    """

    def __init__(self, plan: Plan) -> None:
        store = ModelStore(plan.models, offline=plan.offline)
        self._plan = plan
        self._engine: Any = None
        self._broken: AvatarError | None = None
        try:
            self._engine = load(plan.kind, plan.name, Context(store, plan.threads, plan.options))
        except AvatarError as error:
            self._broken = error
        self._held: dict[str, _Held] = {}
        self._rigs: OrderedDict[str, Any] = OrderedDict()
        self._log = structlog.stdlib.get_logger("realtime_avatar")

    async def about(self) -> About | Failed:
        """Return what there is to know of the engine."""
        engine = self._engine
        if self._broken is not None:
            return Failed(self._broken)
        return About(
            tuple(getattr(engine, "languages", ())),
            tuple(getattr(engine, "speakers", ())),
            isinstance(engine, RefiningVoiceEngine),
            _replica(),
            os.getpid(),
            len(self._held),
            sum(len(held.lines) for held in self._held.values()),
        )

    async def enrol(self, *args: Any, **options: Any) -> Message:
        """Learn a voice or a portrait."""
        try:
            return Item(await self._engine.enrol(*args, **options))
        except Exception as error:
            return self._failed(error)

    async def refine(self, *args: Any) -> AsyncGenerator[Message]:
        """Better the likeness of a voice."""
        try:
            async with aclosing(self._engine.refine(*args)) as refinements:
                async for refinement in refinements:
                    yield Item(refinement)
        except Exception as error:
            yield self._failed(error)

    async def hold(
        self, session: str, options: Mapping[str, Any], after: Any = None
    ) -> AsyncGenerator[Message]:
        """Hold a session open until this request is cancelled.

        Args:
            session: What to call it.
            options: Of the engine's `open`.
            after: Of a face: what another replica made last.
        """
        if self._broken is not None:
            yield Gone()  # others may have what this machine has not
            return
        if len(self._held) >= self._plan.sessions:
            what = f"{self._plan.kind} {self._plan.name!r}"
            yield Failed(CapacityError(f"the {what} has no room for another", _RETRY_S))
            return
        held = self._held[session] = _Held()
        try:
            async with await self._open(options) as engine:
                if after is not None and isinstance(engine, ResumableFace):
                    engine.resume(after)
                held.engine = engine
                try:
                    yield Item(Opened(_replica(), getattr(engine, "rate", 0)))
                    await held.outlast()
                finally:
                    with CancelScope(shield=True):
                        await held.end()
        except Exception as error:
            yield self._failed(error)
        finally:
            self._held.pop(session, None)

    async def run(
        self,
        session: str,
        number: int,
        verb: str,
        args: tuple[Any, ...],
        *,
        fed: bool,
        window: int,
        shown: tuple[int, int] | None = None,
    ) -> AsyncGenerator[Message]:
        """Run a verb that streams.

        Args:
            session: Open.
            number: Of the stream; each is higher than those before.
            verb: Of the engine's port.
            args: Of the verb, after the stream that it is fed by.
            fed: Whether it is fed by one, see `feed`.
            window: Items that it may be ahead of what was seen.
            shown: Of a face: an earlier stream's number, and how many of its shots were shown.
        """
        held = self._held.get(session)
        if held is None or held.engine is None:
            yield Gone()
            return
        async with held.turn:  # a stream that was closed lets go first
            held.heard_from()
            held.tell_unseen(shown)
            line = held.line(number)
            try:
                source = (line.items(),) if fed else ()
                async with aclosing(getattr(held.engine, verb)(*source, *args)) as items:
                    async for item in items:
                        line.made += 1
                        held.made[verb] = (number, line.made)
                        yield await self._item(held, item)
                        await line.room(window)
            except Exception as error:
                yield self._failed(error)
            finally:
                held.close(number)

    async def feed(
        self, session: str, number: int, items: tuple[Any, ...], seen: int, *, end: bool = False
    ) -> bool:
        """Feed a stream; return when the engine has taken it, and whether there is a session.

        Args:
            session: Open.
            number: Of the stream, which may yet begin.
            items: What comes next.
            seen: How many items of it have arrived.
            end: Whether nothing comes after.
        """
        held = self._held.get(session)
        if held is None:
            return False
        held.heard_from()
        if number > held.over:
            await held.line(number).take(items, seen, end=end)
        return True

    async def ask(
        self, session: str, verb: str, args: tuple[Any, ...], shown: tuple[int, int] | None = None
    ) -> Message:
        """Run a verb that gives one thing; see `run`."""
        held = self._held.get(session)
        if held is None or held.engine is None:
            return Gone()
        held.heard_from()
        held.tell_unseen(shown)
        try:
            return await self._item(held, await getattr(held.engine, verb)(*args))
        except Exception as error:
            return self._failed(error)

    async def _item(self, held: "_Held", value: Any) -> Item:
        engine = held.engine
        after = engine.after if isinstance(engine, ResumableFace) else None
        fresh = after is not held.after
        held.after = after
        if isinstance(value, Shot | np.ndarray):
            value = await step(lambda: pack(value, self._plan.frames))
        return Item(value, after if fresh else None)

    def _failed(self, error: Exception) -> Failed:
        said = in_words(self._plan.kind, error)
        if said is not error:
            self._log.warning("engine failed", engine=self._plan.name, error=repr(error))
        return Failed(said)

    async def _open(self, options: Mapping[str, Any]) -> AbstractAsyncContextManager[Any]:
        options = dict(options)
        rig = options.get("rig")
        if isinstance(rig, Shared):
            if rig.key not in self._rigs:
                self._rigs[rig.key] = await rig.at[0]
                while len(self._rigs) > _RIGS:
                    self._rigs.popitem(last=False)
            self._rigs.move_to_end(rig.key)
            options["rig"] = self._rigs[rig.key]
        return self._engine.open(**options)


class _Held:
    """A session that is open."""

    def __init__(self) -> None:
        self.engine: Any = None
        self.after: Any = None
        self.turn = Semaphore(1)  # and not a lock: a stream may be closed by another task
        self.lines: dict[int, _Line] = {}
        self.over = 0
        """All streams up to this number have ended."""
        self.made: dict[str, tuple[int, int]] = {}
        """The newest stream of each verb, and how many items it made."""
        self._word = Event()

    def heard_from(self) -> None:
        """Take note that somebody still wants the session."""
        self._word.set()

    async def outlast(self) -> None:
        """Wait until nobody has wanted it for long."""
        while True:
            self._word = Event()
            with move_on_after(_LEASE) as lease:
                await self._word.wait()
            if lease.cancelled_caught:
                return

    async def end(self) -> None:
        """Wait until the stream that goes on, if any, has let go."""
        async with self.turn:
            self.engine = None

    def tell_unseen(self, shown: tuple[int, int] | None) -> None:
        """Tell the face how many of its shots were never shown."""
        number, made = self.made.get("animate", (0, 0))
        if shown is not None and shown[0] == number and made > shown[1]:
            self.engine.unseen(made - shown[1])
            self.made["animate"] = (number, shown[1])

    def line(self, number: int) -> "_Line":
        """Return what comes in for a stream."""
        return self.lines.setdefault(number, _Line())

    def close(self, number: int) -> None:
        """End a stream, and those before."""
        self.over = max(self.over, number)
        for other in [one for one in self.lines if one <= number]:
            self.lines.pop(other).close()


class _Line:
    """What comes in for one stream, taken one by one as the engine asks for it."""

    def __init__(self) -> None:
        self._send, self._receive = create_memory_object_stream[Any](0)
        self.made = self._seen = 0
        self._news = Event()

    async def items(self) -> AsyncGenerator[Any]:
        async for item in self._receive:
            yield item

    async def take(self, items: tuple[Any, ...], seen: int, *, end: bool) -> None:
        """Return when the engine has taken them all, or wants no more."""
        if seen > self._seen:
            self._seen = seen
            self._news.set()
        try:
            for item in items:
                await self._send.send(item)
        except (BrokenResourceError, ClosedResourceError):
            return
        if end:
            self._send.close()

    async def room(self, window: int) -> None:
        """Wait until fewer than `window` items are on their way."""
        while self.made - self._seen >= window:
            self._news = Event()
            await self._news.wait()

    def close(self) -> None:
        self._send.close()
        self._receive.close()


def _replica() -> str:
    from ray import serve

    return serve.get_replica_context().replica_id.unique_id
