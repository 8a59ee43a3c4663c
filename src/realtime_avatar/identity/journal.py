"""Writes what is said into the store, in a task of its own, while people talk."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from anyio import (
    ClosedResourceError,
    EndOfStream,
    Event,
    WouldBlock,
    create_memory_object_stream,
    create_task_group,
    move_on_after,
    sleep,
)

from realtime_avatar.errors import AvatarError, InputError, StoreError
from realtime_avatar.identity.store import Entry, Store

Outcome = Literal["written", "gone", "failing", "lost"]
"""Of an entry: it is durable; somebody has deleted its conversation; the database fails, and
it is tried again; it was given up."""

WAITING: Final = 512
"""Entries that may wait for a database that is slow or away; more are lost."""

_NUMBERED: Final = 10_000  # conversations whose last turn's number is remembered
_BATCH: Final = 64  # entries of one transaction
_RETRIES: Final = (0.5, 1.0, 2.0, 5.0, 15.0)  # seconds before another try; then always the last
_LAST: Final = 3.0  # seconds at the end for what still waits
_PRUNING: Final = 3600.0  # seconds between two looks at what is too old


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    tell: Callable[[Outcome], None]


class Journal:
    """The one writer of a server's conversations; it writes while its `run` does.

    Args:
        store: Where to.
        days: Conversations are kept so long after their last turn; 0: for ever.
        count: So many are kept, the newest; 0: all.
        clock: Seconds since 1970.

    Attributes:
        store: As given.
        failing: Whether the newest attempt to write failed.
    """

    def __init__(
        self,
        store: Store,
        *,
        days: float = 0,
        count: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.failing = store, False
        self._days, self._count, self._clock = days, count, clock
        self._send, self._queue = create_memory_object_stream[_Waiting](WAITING)
        self._numbers: dict[str, int] = {}  # the last one of each conversation, the newest last
        self._closing, self._ended = Event(), Event()
        self._log = structlog.stdlib.get_logger("realtime_avatar")

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.fromtimestamp(self._clock(), UTC)

    @property
    def waiting(self) -> int:
        """How many entries wait."""
        return self._queue.statistics().current_buffer_used

    def number(self, conversation: str, after: int) -> int:
        """Return the number of the next turn of a conversation, which no other turn gets.

        One may go on in two sessions at once: in two windows, or while a connection that
        was lost is not yet known to be.

        Args:
            conversation: Its id.
            after: The number that is known to be the last one.
        """
        number = max(self._numbers.pop(conversation, 0), after) + 1
        self._numbers[conversation] = number
        if len(self._numbers) > _NUMBERED:
            del self._numbers[next(iter(self._numbers))]
        return number

    def write(self, entry: Entry, tell: Callable[[Outcome], None]) -> None:
        """Have a turn written soon; never waits.

        Args:
            entry: The turn.
            tell: Told what becomes of it; of "failing" perhaps several times before the end.
        """
        try:
            self._send.send_nowait(_Waiting(entry, tell))
        except (WouldBlock, ClosedResourceError):
            tell("lost")

    async def run(self) -> None:
        """Write until `close`."""
        try:
            with self._queue:
                async with create_task_group() as tasks:
                    tasks.start_soon(self._prune)
                    async for waiting in self._queue:
                        await self._persist(self._batch(waiting))
                    tasks.cancel_scope.cancel()
        finally:
            self._ended.set()

    async def close(self) -> None:
        """Take nothing more; return when all is written, or could not be for some seconds.

        `run` is to be cancelled then.
        """
        self._send.close()
        self._closing.set()
        with move_on_after(_LAST, shield=True):
            await self._ended.wait()

    def _batch(self, first: _Waiting) -> list[_Waiting]:
        batch = [first]
        while len(batch) < _BATCH:
            try:
                batch.append(self._queue.receive_nowait())
            except (WouldBlock, EndOfStream):
                break
        return batch

    async def _persist(self, batch: Sequence[_Waiting]) -> None:
        """Write entries, and try again while the database fails."""
        tries = 0
        while not await self._try(batch):
            if self._closing.is_set():
                _tell(batch, "lost")
                return
            with move_on_after(_RETRIES[min(tries, len(_RETRIES) - 1)]):
                await self._closing.wait()
            tries += 1

    async def _try(self, batch: Sequence[_Waiting]) -> bool:
        """Write entries; return whether there is nothing left to try again."""
        newest = {(each.entry.heading.id, each.entry.turn.number): each.entry for each in batch}
        try:
            written = await self.store.write(list(newest.values()))
        except StoreError as error:
            if not self.failing:
                self._log.error("conversations cannot be written", reason=str(error))
            self.failing = True
            _tell(batch, "failing")
            return False
        except InputError as error:
            if len(batch) == 1:
                self._log.error("a turn cannot be written", reason=str(error))
                _tell(batch, "lost")
                return True
            return all([await self._try([each]) for each in batch])
        if self.failing:
            self._log.info("conversations are written again")
        self.failing = False
        there = dict(zip(newest, written, strict=True))
        for each in batch:
            key = each.entry.heading.id, each.entry.turn.number
            each.tell("written" if there[key] else "gone")
        return True

    async def _prune(self) -> None:
        """Delete what is too old, now and from time to time."""
        while True:
            try:
                gone = await self.store.prune(self.now, days=self._days, count=self._count)
                if gone:
                    self._log.info("old conversations deleted", conversations=gone)
            except AvatarError as error:
                self._log.error("old conversations cannot be deleted", reason=str(error))
            await sleep(_PRUNING)


def _tell(batch: Sequence[_Waiting], outcome: Outcome) -> None:
    for each in batch:
        each.tell(outcome)
