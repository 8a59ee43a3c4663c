"""A stream that can be given again from where it is still needed."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Generic, TypeVar

from anyio import Event

T = TypeVar("T")


class Replay(Generic[T]):
    """Keeps what it read from a stream, for a consumer who may be replaced.

    Reading is lazy: nothing is read before somebody waits for it in `items`. One consumer at a
    time.

    Args:
        source: The stream.
        most: How many items to keep.
    """

    def __init__(self, source: AsyncIterable[T], most: int | None = None) -> None:
        self._source, self._most = source, most
        self._kept = deque[T]()
        self._at = 0  # of what is kept, the next to be given
        self._consumer = object()  # whose place that is
        self._ended = False
        self._error: Exception | None = None
        self._wanted, self._came = Event(), Event()

    @property
    def hungry(self) -> bool:
        """Whether the consumer has had all that there is, and more may come."""
        return self._at >= len(self._kept) and not self._ended

    @property
    def kept(self) -> tuple[T, ...]:
        """What would be given again."""
        return tuple(self._kept)

    async def read(self) -> None:
        """Read the stream, in a task of its own, until it ends."""
        source = aiter(self._source)
        try:
            while True:
                await self._wanted.wait()
                item = await anext(source)
                self._kept.append(item)  # to what is kept by now: it may have been replaced
                self._wanted = Event()
                self._came.set()
                if self._most is not None and len(self._kept) > self._most:
                    self.drop(lambda _: len(self._kept) > (self._most or 0))
        except StopAsyncIteration:
            pass
        except Exception as error:  # it is the consumer's to know
            self._error = error
        self._ended = True
        self._came.set()

    async def items(self) -> AsyncGenerator[T]:
        """Yield what is kept, then what is read; end when there is another consumer.

        Raises:
            Exception: what the stream raised.
        """
        self._at, self._consumer = 0, (consumer := object())
        while self._consumer is consumer:
            if self._at < len(self._kept):
                self._at += 1
                yield self._kept[self._at - 1]
            elif self._ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                self._came = Event()
                self._wanted.set()
                await self._came.wait()

    def drop(self, over: Callable[[T], bool]) -> None:
        """Forget the oldest that are kept, as long as they are of no more use."""
        while self._kept and self._at and over(self._kept[0]):
            self._kept.popleft()
            self._at -= 1

    def replace(self, items: Iterable[T]) -> None:
        """Keep this instead, for the next consumer."""
        self._kept = deque(items)
        self._at = 0
