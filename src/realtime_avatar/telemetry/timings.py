"""How long each stage of a turn took, and when its first result was there."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import current_time

T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(slots=True)
class Stage:
    """One stage's figures, in seconds since `Timings.start`.

    Attributes:
        first: When its first result was there; None while there is none.
        last: When its last one was.
        busy: How long it worked, waiting for its input not counted.
        items: How many results it gave.
    """

    first: float | None = None
    last: float | None = None
    busy: float = 0.0
    items: int = 0


@dataclass(slots=True)
class Timings:
    """The stages of one turn. `clock`: monotonic, seconds; the event loop's by default."""

    clock: Clock = current_time
    start: float = 0.0
    stages: dict[str, Stage] = field(default_factory=dict[str, Stage])

    def begin(self) -> None:
        """Count from now."""
        self.start = self.clock()

    def stage(self, name: str) -> Stage:
        """Return a stage's figures, made when first asked for."""
        return self.stages.setdefault(name, Stage())

    async def measured(self, name: str, source: AsyncGenerator[T]) -> AsyncGenerator[T]:
        """Pass a stage's results on, noting when they came and the work they took."""
        stage = self.stage(name)
        async with aclosing(source):
            while True:
                asked = self.clock()
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
                finally:
                    stage.busy += self.clock() - asked
                stage.last = self.clock() - self.start
                if stage.first is None:
                    stage.first = stage.last
                stage.items += 1
                yield item

    @contextmanager
    def working(self, name: str) -> Generator[None]:
        """Count the time inside as a stage's work, and its end as its only result."""
        stage, began = self.stage(name), self.clock()
        try:
            yield
        finally:
            stage.busy += self.clock() - began
            stage.first = stage.last = self.clock() - self.start
            stage.items += 1

    def waited(self, name: str, source: AsyncIterable[T]) -> AsyncIterator[T]:
        """Pass a stage's input on; the time it waits for it does not count as work.

        Whoever is cancelled while waiting for an item can ask again.
        """
        return _Waited(self.clock, self.stage(name), aiter(source))


@dataclass(slots=True, eq=False)
class _Waited(AsyncIterator[T]):
    """See `Timings.waited`. A generator would be over when it is cancelled."""

    clock: Clock
    stage: Stage
    items: AsyncIterator[T]

    async def __anext__(self) -> T:
        asked = self.clock()
        try:
            return await anext(self.items)
        finally:
            self.stage.busy -= self.clock() - asked
