"""Where a turn is heard and seen."""

from collections.abc import AsyncIterable
from typing import Protocol

from realtime_avatar.media.shot import Shot


class Playout(Protocol):
    """Shows shots, and knows which words were heard."""

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        """Return when the last shot has been heard."""
        ...

    def stop(self) -> str:
        """Drop what was not played; return the words that were, and forget them."""
        ...
