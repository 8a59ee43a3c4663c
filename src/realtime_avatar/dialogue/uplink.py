"""The sound of the person's side, as it comes over a network."""

from collections import deque
from collections.abc import AsyncGenerator
from typing import Final, Literal

import numpy as np
from anyio import Event, current_time

from realtime_avatar.hearing.activity import RATE
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.resample import Resampler

WAITING: Final = 2.0
"""Seconds of sound that may wait; then the oldest goes, and silence takes its place."""

Mode = Literal["always", "never", "talk"]

_DRIFT: Final = 5e-5  # seconds a chunk: clocks drift apart, and packets get lost for good


class Uplink:
    """Holds what was not listened to yet, and knows when each sample was spoken.

    The stream that comes out is consecutive, at `hearing.activity.RATE`. While it is switched
    off it goes on in silence.
    """

    def __init__(self) -> None:
        self._mode: Mode = "always"
        self._waiting: deque[Audio] = deque()
        self._samples = 0  # that wait
        self._came = Event()
        self._resampler = Resampler(RATE, prompt=True)
        self._rate = self._in = self._out = 0
        self._origin: float | None = None

    def switch(self, mode: Mode) -> None:
        """Open it (`always`, `talk`) or close it (`never`)."""
        self._mode = mode

    def push(self, audio: Audio) -> None:
        """Take the next chunk, of any rate; its `start` does not matter."""
        if audio.rate != self._rate:
            self._resampler, self._rate, self._in = Resampler(RATE, prompt=True), audio.rate, 0
        pcm = np.zeros_like(audio.pcm) if self._mode == "never" else audio.pcm
        chunk = self._resampler.push(Audio(pcm, audio.rate, self._in))
        self._in += audio.samples
        if not chunk.samples:
            return
        chunk = Audio(chunk.pcm, RATE, self._out)
        self._out = chunk.end
        # Networks only ever delay: the earliest arrival tells best when it was spoken.
        origin = current_time() - chunk.end / RATE
        self._origin = origin if self._origin is None else min(origin, self._origin + _DRIFT)
        self._waiting.append(chunk)
        self._samples += chunk.samples
        while self._samples > WAITING * RATE:
            self._samples -= self._waiting.popleft().samples
        self._came.set()

    def spoken_at(self, sample: int) -> float:
        """Return when a sample of the stream was spoken, on the loop's clock, seconds.

        Before anything has come, that is now.
        """
        return current_time() if self._origin is None else self._origin + sample / RATE

    async def audio(self) -> AsyncGenerator[Audio]:
        """Yield what comes, for ever; what was lost on the way is silence."""
        position = 0
        while True:
            while not self._waiting:
                self._came = Event()
                await self._came.wait()
            chunk = self._waiting.popleft()
            self._samples -= chunk.samples
            if chunk.start > position:
                yield Audio.silence(chunk.start - position, RATE, position)
            position = chunk.end
            yield chunk
