"""Work of which only the newest counts."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from anyio import CancelScope, Event

J = TypeVar("J")


class Newest(Generic[J]):
    """A place for one job: a newer one replaces the one before, and stops the work on it.

    Attributes:
        idle: Whether there is nothing to do and nothing being done.
    """

    def __init__(self) -> None:
        self._job: J | None = None
        self._came, self._work = Event(), CancelScope()
        self.idle = True

    def put(self, job: J) -> None:
        """Have this done instead of whatever was to be done."""
        self._job, self.idle = job, False
        self._came.set()
        self._work.cancel()

    def drop(self) -> None:
        """Stop the work, and do nothing until the next job comes."""
        self._job = None
        self._work.cancel()

    async def work(self, do: Callable[[J], Awaitable[None]], goes_on: Callable[[], bool]) -> None:
        """Do each job, until at the next one it may not go on; that one stays."""
        while True:
            await self._came.wait()
            if not goes_on():
                return
            self._came, job, self._job = Event(), self._job, None
            with CancelScope() as self._work:
                if job is not None:
                    await do(job)
            self.idle = not self._came.is_set()
