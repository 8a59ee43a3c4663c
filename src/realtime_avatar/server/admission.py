"""Who may have work done now: programs queue, and stand back for people who talk."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from anyio import Semaphore, WouldBlock, current_time, move_on_after, sleep

from realtime_avatar.errors import CapacityError

_GUESS: Final = 3.0  # seconds of a job, before one has been seen
_WEIGHT: Final = 0.2  # of the latest job in the mean
_RETRY: Final = (1.0, 120.0)  # seconds, the least and the most that are told
_LOOK: Final = 0.05  # seconds between two looks whether nobody talks
LONGEST: Final = 900.0
"""Seconds after which a request counts as hung, and is ended."""

PATIENCE: Final = 5.0
"""Seconds that a job waits for a pause in the live conversations."""


class Admission:
    """Lets a bounded number of requests work, and a bounded number wait for it.

    A live conversation cannot wait, so a request begins in a pause of it if there is one
    within `PATIENCE`.

    Args:
        running: Requests at once.
        waiting: That wait; more are refused.
        talking: Whether somebody in a live conversation speaks or waits for an answer.
    """

    def __init__(self, running: int, waiting: int, talking: Callable[[], bool]) -> None:
        self._running, self._limit, self._talking = running, waiting, talking
        self._free = Semaphore(running)
        self._mean = _GUESS
        self._entered = 0
        self.waiting = 0
        """How many wait now."""

    @property
    def running(self) -> int:
        """How many work now."""
        return self._running - self._free.value

    def full(self) -> CapacityError | None:
        """Return why nobody may enter now; None if somebody may."""
        return self._later() if self._entered >= self._running + self._limit else None

    @contextmanager
    def entered(self) -> Generator[None]:
        """Count a request in from before its body is read until it is answered."""
        self._entered += 1
        try:
            yield
        finally:
            self._entered -= 1

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for a place; hold it.

        Raises:
            CapacityError: if too many wait already; it says when to try again.
        """
        try:
            self._free.acquire_nowait()  # only if nobody waits: those who do are handed places
        except WouldBlock:
            await self._wait()
        try:
            await self._pause()
            began = current_time()
            with move_on_after(LONGEST) as working:
                yield
            if working.cancelled_caught:
                raise CapacityError(f"it took longer than {LONGEST / 60:.0f} minutes", _RETRY[1])
            self._mean += _WEIGHT * (current_time() - began - self._mean)
        finally:
            self._free.release()

    async def _wait(self) -> None:
        if self.waiting >= self._limit:
            raise self._later()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1

    def _later(self) -> CapacityError:
        low, high = _RETRY
        after = min(max(self._mean * (self.waiting + 1) / self._running, low), high)
        return CapacityError(f"{self.waiting} requests are waiting already", after)

    async def _pause(self) -> None:
        until = current_time() + PATIENCE
        while self._talking() and current_time() < until:  # noqa: ASYNC110 - speech tells nobody
            await sleep(_LOOK)
