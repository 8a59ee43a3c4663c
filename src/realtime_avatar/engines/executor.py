"""One device, many sessions: what is due together is computed together.

Whoever waits for a job and finds the device free leads: it picks the jobs that are due first,
as many of one kind as pay, runs them in one batch and wakes the next. So no task of its own
is needed, and nothing runs while nobody waits.
"""

import math
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from anyio import CancelScope, Event, current_time, move_on_after
from anyio.lowlevel import checkpoint_if_cancelled

from realtime_avatar.errors import CapacityError

J = TypeVar("J")
R = TypeVar("R")
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

_SHARE: Final = 0.85  # of the device's time that sessions may be promised
_PATIENCE: Final = 0.004  # seconds that a batch may wait for more jobs
_UNSEEN: Final = 0.02  # seconds late that do not count: half a picture
_LATE_IN_A_ROW: Final = 3  # jobs, until their session is asked for less
_ON_TIME_IN_A_ROW: Final = 250  # jobs, until it is given more again
_HOPELESS: Final = 0.2  # seconds after it was due at which a job is left out
_EARLY: Final = 0.5  # of its time in which what has parts should be done: others wait for it
_LONG: Final = 0.3  # seconds; what has parts and so much time waits for others to join it first,
_HELD: Final = 0.5  # for so much of its time,
_LATEST: Final = 0.9  # and should be done in so much of it
_RETRY_S: Final = 10
_MEMORY: Final = 2.0  # seconds over which the device's load is averaged


class Device(Protocol[J_contra, R_co]):
    """Something that computes batches, one at a time."""

    async def run(self, kind: str, jobs: Sequence[J_contra]) -> Sequence[R_co] | None:
        """Compute a batch of one kind. Not cancelled; to return within about 20 ms.

        Returns:
            The results; None if there is more to do: it is run again with the same jobs, and
            no others of their kind before, but others of other kinds. Should those who wait
            for it all be gone, it is not.
        """
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """What a kind of job was measured to take.

    Attributes:
        first: Seconds for a batch of one.
        more: Seconds for each job more.
        most: Jobs that go into one batch.
        sizes: Of batches that there are, if not all: what is between is filled up.
        parts: In which the device does a batch, of about the same length.
    """

    first: float
    more: float
    most: int
    sizes: tuple[int, ...] = ()
    parts: int = 1

    def of(self, jobs: int) -> float:
        """Return the seconds that a batch takes."""
        filled = min((size for size in self.sizes if size >= jobs), default=jobs)
        return self.first + self.more * (filled - 1)

    def best(self, jobs: int) -> int:
        """Return how many of some jobs to run at once, so that each takes least.

        Two and then one may be done sooner than three as four.
        """
        choices = {jobs, *(size for size in self.sizes if size < jobs)}
        return min(choices, key=lambda size: (self.of(size) / size, -size))

    @property
    def least(self) -> float:
        """Seconds that one job takes in a full batch."""
        return self.of(self.most) / self.most


@dataclass(eq=False, slots=True)
class _Job(Generic[J]):
    kind: str
    work: J
    due: float
    must: bool
    asked: float
    parts: int = 1
    ended: int = 0  # of them
    wake: Event = field(default_factory=Event)
    done: bool = False
    gone: bool = False
    result: Any = None
    error: Exception | None = None

    @property
    def free(self) -> float:
        """Until when it waits for others that could be computed with it."""
        time = self.due - self.asked
        return self.asked + (_HELD * time if self.parts > 1 and time >= _LONG else 0)

    @property
    def next(self) -> float:
        """When the next part is due: none is put off until all have to be done at once."""
        if self.parts == 1:
            return self.due
        time = self.due - self.asked
        last = self.asked + time * (_LATEST if self.free > self.asked else _EARLY)
        return self.free + (last - self.free) * (self.ended + 1) / self.parts


class Executor(Generic[J, R]):
    """Runs the jobs of all sessions on a device, earliest deadline first.

    Args:
        device: What computes.
        costs: Of each kind of job, as measured on it.
        rates: Jobs of each kind that a session at its best asks for in a second; by these
            and the costs it is known how many sessions the device sustains.
        sessions: So many at most, whatever is known.
        most: So many at most, if the device sustains more.
    """

    def __init__(
        self,
        device: Device[J, R],
        costs: Mapping[str, Cost],
        rates: Mapping[str, float],
        *,
        sessions: int | None = None,
        most: int | None = None,
    ) -> None:
        self._device, self._costs = device, costs
        self._rates = rates
        share = sum(rate * costs[kind].least for kind, rate in rates.items())
        sustained = max(1, int(_SHARE / share))
        self.capacity: Final = sessions or min(sustained, most or sustained)
        """Sessions that the device sustains; one is let in however slow it is."""
        self._seats = 0
        self._pending: list[_Job[J]] = []
        self._begun: list[_Job[J]] = []  # the batch that the device has begun and not finished
        self._load = self._noted = 0.0
        self._arrived = Event()
        self._running = False

    @contextmanager
    def seat(self) -> "Generator[Seat[J, R]]":
        """Let a session in.

        Raises:
            CapacityError: if the device does not sustain one more.
        """
        if self._seats >= self.capacity:
            raise CapacityError(
                f"the device shows {self.capacity} faces at once and has no room for another",
                _RETRY_S,
            )
        self._seats += 1
        try:
            yield Seat(self)
        finally:
            self._seats -= 1

    def bears(self, now: str, better: str) -> bool:
        """Tell whether the device has time for a session to be given more; if so, keep it free.

        Args:
            now: The kind of job that the session asks for now.
            better: The kind that it would ask for.
        """
        rate = max((rate for kind, rate in self._rates.items() if kind in self._costs), default=0)
        least = [self._costs[kind].least if kind in self._costs else 0 for kind in (now, better)]
        more = rate * (least[1] - least[0])
        if self._busy() + more > _SHARE:
            return False
        self._load += more
        return True

    def _busy(self, seconds: float = 0) -> float:
        """Return the share of the last seconds in which the device computed.

        Args:
            seconds: That it has just computed for.
        """
        now = current_time()
        fade = math.exp((self._noted - now) / _MEMORY)
        self._load, self._noted = self._load * fade + seconds / _MEMORY, now
        return self._load

    async def do(self, kind: str, work: J, due: float, *, must: bool) -> R | None:
        """Run one job; see `Seat.do`."""
        parts = self._costs[kind].parts
        job = _Job(kind, work, due, must, min(current_time(), due), parts)
        self._pending.append(job)
        self._arrived.set()
        try:
            while not job.done:
                if self._running:
                    await job.wake.wait()
                    job.wake = Event()
                else:
                    await self._lead()
                    await checkpoint_if_cancelled()
        finally:
            if not job.done:  # cancelled
                job.gone = True
                if job in self._pending:
                    self._pending.remove(job)
                self._drop_begun()
                self._appoint()
        if job.error is not None:
            raise job.error
        return job.result

    async def _lead(self) -> None:
        self._running = True
        try:
            now = current_time()
            for job in [job for job in self._pending if not job.must]:
                if job.due + _HOPELESS < now:
                    self._finish(job)
            batch = self._meanwhile()
            if not batch and self._pending:
                await self._wait_for_more()
                batch = self._batch(current_time())
            if batch:
                # Others' jobs are in it: whoever leads is cancelled after it.
                with CancelScope(shield=True):
                    await self._compute(batch)
        finally:
            self._running = False
            self._appoint()

    def _meanwhile(self) -> list[_Job[J]]:
        """Return what may be done while the first batch can wait for more: it, if nothing."""
        now = current_time()
        batch = self._batch(now)
        if not batch or batch is self._begun:
            return batch
        cost = self._costs[batch[0].kind]
        if len(batch) >= min(cost.most, self._seats):
            return batch
        slack = batch[0].due - now - cost.of(len(batch) + 1)
        kind = batch[0].kind
        later = self._begun or sorted(
            (job for job in self._ready(now) if job.parts > 1), key=lambda job: job.due
        )
        if not later or later[0].kind == kind:
            return []
        other = self._costs[later[0].kind]
        if later is not self._begun:
            later = later[: other.best(min(len(later), other.most))]
        fits = other.of(len(later)) / other.parts < slack
        return later if fits else []

    async def _wait_for_more(self) -> None:
        """Wait a little for jobs that can still join, as long as the first stays in time."""
        now = current_time()
        batch = self._batch(now)
        if not batch:
            with move_on_after(min(job.free for job in self._pending) - now):
                self._arrived = Event()
                await self._arrived.wait()
            return
        if batch == self._begun:
            return
        cost = self._costs[batch[0].kind]
        slack = batch[0].due - current_time() - cost.of(len(batch) + 1)
        patience = min(_PATIENCE, slack)
        if patience <= 0 or len(batch) >= min(cost.most, self._seats):
            return
        with move_on_after(patience):
            while len(self._batch(current_time())) < min(cost.most, self._seats):
                self._arrived = Event()
                await self._arrived.wait()

    def _batch(self, now: float) -> list[_Job[J]]:
        """Return the jobs to run next: of one kind, those that are due first.

        What has been begun goes on where nothing else is due before it.
        """
        begun = self._begun
        others = [job for job in self._ready(now) if not begun or job.kind != begun[0].kind]
        if not others:
            return begun
        first = min(others, key=lambda job: job.next)
        if begun and min(job.next for job in begun) <= first.next:
            return begun
        alike = sorted(
            (job for job in self._pending if job.kind == first.kind), key=lambda job: job.next
        )
        cost = self._costs[first.kind]
        batch = alike[: cost.most]
        fitting = len(batch)
        # When even alone it would be late, many at once are what catches up.
        if now + cost.of(1) <= first.due:
            while now + cost.of(fitting) > first.due:
                fitting -= 1
        return batch[: cost.best(fitting)]

    def _ready(self, now: float) -> list[_Job[J]]:
        """Return the jobs that wait for no others: all of a kind if one of it does not."""
        kinds = {job.kind for job in self._pending if job.free <= now or self._seats == 1}
        for kind in {job.kind for job in self._pending} - kinds:
            alike = sum(job.kind == kind for job in self._pending)
            if alike >= min(self._costs[kind].most, self._seats):
                kinds.add(kind)
        return [job for job in self._pending if job.kind in kinds]

    async def _compute(self, batch: list[_Job[J]]) -> None:
        if batch is not self._begun:
            for job in batch:
                self._pending.remove(job)
        start = current_time()
        try:
            results = await self._device.run(batch[0].kind, [job.work for job in batch])
        except Exception as error:
            if batch is self._begun:
                self._begun = []
            for job in batch:
                self._finish(job, error=error)
            return
        self._busy(current_time() - start)
        if results is None:
            self._begun = batch
            for job in batch:
                job.ended += 1
            self._drop_begun()
            return
        if batch is self._begun:
            self._begun = []
        for job, result in zip(batch, results, strict=True):
            self._finish(job, result)

    def _finish(
        self, job: _Job[J], result: R | None = None, error: Exception | None = None
    ) -> None:
        if job in self._pending:
            self._pending.remove(job)
        job.result, job.error, job.done = result, error, True
        job.wake.set()

    def _appoint(self) -> None:
        """Wake somebody who waits, to lead next."""
        waiting = [job for job in (*self._begun, *self._pending) if not job.gone]
        if waiting and not self._running:
            min(waiting, key=lambda job: job.next).wake.set()

    def _drop_begun(self) -> None:
        if all(job.gone for job in self._begun):
            self._begun = []


class Seat(Generic[J, R]):
    """One session's place at the device."""

    def __init__(self, executor: Executor[J, R]) -> None:
        self._executor = executor
        self.step = 0
        """How much less than at its best it is given: an index into the kinds it can do with."""
        self._late = self._on_time = 0

    async def do(
        self,
        work: J,
        due: float,
        *kinds: str,
        must: bool = False,
        elsewhere: Callable[[], Awaitable[R]] | None = None,
    ) -> tuple[str, R] | None:
        """Run a job.

        Args:
            work: What the device takes.
            due: When the result is wanted, on the event loop's clock, seconds.
            kinds: As what it can be run, the best first. While results are late, steps down
                are taken; when they have long been in time and the device has time, steps up.
            must: Whether it is of use however late.
            elsewhere: How the last kind is run, if not by the device.

        Returns:
            The kind that it was run as, and the result; None if it came too late to be run.

        Raises:
            Exception: what the device raised.
        """
        kind = kinds[min(self.step, len(kinds) - 1)]
        if elsewhere is not None and kind == kinds[-1]:
            result = await elsewhere()
        else:
            result = await self._executor.do(kind, work, due, must=must)
        if len(kinds) > 1:
            self._judge(current_time() > due + _UNSEEN, kinds)
        return None if result is None else (kind, result)

    def _judge(self, late: bool, kinds: Sequence[str]) -> None:
        self._late = self._late + 1 if late else 0
        self._on_time = 0 if late else self._on_time + 1
        if self._late >= _LATE_IN_A_ROW and self.step < len(kinds) - 1:
            self.step, self._late = self.step + 1, 0
        if self._on_time >= _ON_TIME_IN_A_ROW and self.step:
            self._on_time = 0
            now = min(self.step, len(kinds) - 1)
            if self._executor.bears(kinds[now], kinds[now - 1]):
                self.step = now - 1
