"""The last seconds of the microphone."""

from typing import Final

import numpy as np

from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media import Audio

SPARE: Final = RATE  # samples that are let go of at once, not chunk by chunk


class Microphone:
    """Holds the end of one stream at 16 kHz.

    Attributes:
        end: First sample that has not come yet.
    """

    def __init__(self) -> None:
        self._chunks: list[Audio] = []
        self.end = 0

    def push(self, chunk: Audio) -> None:
        """Take the next chunk.

        Raises:
            ValueError: if it does not follow the one before, at 16 kHz.
        """
        if chunk.rate != RATE or (self._chunks and chunk.start != self.end):
            raise ValueError(
                f"expected audio of {RATE} Hz from sample {self.end}, "
                f"not of {chunk.rate} Hz from {chunk.start}"
            )
        self._chunks.append(chunk)
        self.end = chunk.end

    def sound(self, start: int, end: int) -> Audio:
        """Return a stretch, or what of it is held."""
        chunks = [chunk for chunk in self._chunks if chunk.end > start and chunk.start < end]
        if not chunks:
            return Audio.silence(0, RATE, end)
        first = chunks[0].start
        pcm = np.concatenate([chunk.pcm for chunk in chunks])
        start = max(start, first)
        return Audio(pcm[start - first : end - first], RATE, start)

    def forget(self, before: int) -> None:
        """Let go of what is before this sample."""
        if self._chunks and before - self._chunks[0].start > SPARE:
            self._chunks = [chunk for chunk in self._chunks if chunk.end > before]
