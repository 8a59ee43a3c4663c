"""A conversation that is played out as it happens."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
from anyio import (
    Event,
    WouldBlock,
    create_memory_object_stream,
    create_task_group,
    current_time,
    sleep_until,
)
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from realtime_avatar.media.audio import Audio, to_int16
from realtime_avatar.media.picture import Frame
from realtime_avatar.media.shot import Shot

BEHIND = 5
"""Beats that a reader may be behind, and that the clock makes up for after a stall."""

PATIENCE = 5.0
"""Seconds for which it stays silent. Whatever it fell silent for has proved to be somebody's words,
or nothing, by then; unless nothing comes any more of what it was heard in: a microphone is
unplugged in the midst of a sound."""

_AHEAD = 2  # shots taken in before their time: one is always ready while the next is made
_TAPS = 32  # input samples that an output sample is made of


@dataclass(frozen=True, slots=True)
class Beat:
    """What is heard and seen from one tick of the clock to the next.

    Attributes:
        index: Ticks since the clock started.
        audio: Exactly `rate / fps` samples, from sample `index` times that.
        frame: See `Frame`; None: the same as before.
        speaking: Whether it is of a speech.
    """

    index: int
    audio: Audio
    frame: Frame | None
    speaking: bool


class LivePlayout:
    """Shows speeches, and a living face between them, on one clock.

    Both tracks of a call follow its beats, so they cannot drift apart. While there is no
    speech, or none of it is ready, or it is paused, a beat is a picture of `idle` with
    silence; if that is late, the picture before is held.

    Args:
        idle: Makes the next picture of the living face.
        words: Told the words of a shot when it is sent.
        fps: Beats a second.
        rate: Of the sound sent, Hz.
    """

    def __init__(
        self,
        idle: Callable[[], Awaitable[Frame]],
        *,
        words: Callable[[str], None] = lambda _: None,
        fps: int = 25,
        rate: int = 48_000,
    ) -> None:
        self.fps, self.rate = fps, rate
        self.unseen = 0
        """Shots handed to `play` that the last `stop` dropped."""
        self._idle, self._words = idle, words
        self._readers: list[_Reader] = []
        self._over = False
        self._speech: _Speech | None = None
        self._paused = False
        self._waited = 0  # beats, since it has been paused
        self._given = self._sent = self._before = 0  # shots; `_before`: sent at the last stop
        self._heard: list[str] = []
        self._picture: Frame | None = None  # shown last
        self._next: Frame | None = None  # of the living face, made for the next beat
        self._wanted = Event()
        self._wanted.set()

    @property
    def sent(self) -> int:
        """Shots sent since the last `stop`."""
        return self._sent - self._before

    @property
    def paused(self) -> bool:
        """Whether it has fallen silent until `resume` or `stop`."""
        return self._paused

    async def run(self) -> None:
        """Keep the clock until cancelled.

        Beats have absolute deadlines. After a short stall those that were missed follow at
        once; a long one is left out of the count, so that nobody gets a burst.
        """
        size = self.rate // self.fps
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(self._live)
                start, index = current_time(), 0
                while True:
                    await sleep_until(start + index / self.fps)
                    missed = int((current_time() - start) * self.fps) - index
                    if missed > BEHIND:
                        index += missed
                    self._send(self._beat(index, size))
                    index += 1
        finally:
            self._over = True
            for reader in self._readers:
                reader.sink.close()

    async def play(self, shots: AsyncIterable[Shot]) -> None:
        """Send shots, one a beat; return when the last one has been heard, or at `stop`.

        Args:
            shots: At any rate that is a whole number of samples a picture.

        Raises:
            RuntimeError: if another speech is being played.
        """
        if self._speech:
            raise RuntimeError("one speech at a time")
        speech = self._speech = _Speech()
        resampler: _FrameResampler | None = None
        try:
            async for shot in shots:
                self._given += 1
                if resampler is None or resampler.rate_in != shot.audio.rate:
                    resampler = _FrameResampler(shot.audio.rate, self.rate, self.fps)
                await speech.put(resampler.push(shot))
                if speech.stopped:
                    return
            speech.complete = True
            await speech.played.wait()
        finally:
            if self._speech is speech:
                self._speech = None
            self._want_idle()

    def stop(self) -> str:
        """Drop what was not played; return the words that were heard, and forget them."""
        if self._speech:
            self._speech.stop()
            self._speech = None
        self._before = self._sent
        self.unseen, self._given = self._given - self._sent, self._sent
        self.resume()
        heard, self._heard = "".join(self._heard), []
        return heard

    def pause(self) -> None:
        """Fall silent from the next beat on, until `resume` or `stop`, for `PATIENCE` at most."""
        self._paused, self._waited = True, 0
        self._want_idle()

    def resume(self) -> None:
        """Go on where `pause` broke off."""
        self._paused = False

    @asynccontextmanager
    async def beats(self) -> AsyncGenerator[MemoryObjectReceiveStream[Beat]]:
        """Open a stream of the beats from now on, which ends with the clock.

        A reader that falls behind loses the oldest ones; the next it gets has a picture.
        """
        sink, source = create_memory_object_stream[Beat](BEHIND)
        reader = _Reader(sink, source)
        with sink, source:
            if self._over:
                sink.close()
            else:
                self._readers.append(reader)
            try:
                yield source
            finally:
                if reader in self._readers:
                    self._readers.remove(reader)

    def _beat(self, index: int, size: int) -> Beat:
        speech = self._speech
        if self._paused:
            self._waited += 1
            if self._waited > PATIENCE * self.fps:
                self.resume()
        shot = speech.take() if speech and (speech.drained or not self._paused) else None
        if shot is None:
            audio = Audio.silence(size, self.rate, index * size)
            frame, self._next = self._next, None
            self._want_idle()
        else:
            audio = replace(shot.audio, start=index * size)
            frame, self._next = shot.frame, None
            self._sent += 1
            if audio.text:
                self._heard.append(audio.text)
                self._words(audio.text)
            if speech and speech.drained:
                self._want_idle()
        if frame is not None:
            self._picture = frame
        return Beat(index, audio, frame, shot is not None)

    def _send(self, beat: Beat) -> None:
        for reader in self._readers:
            whole = replace(beat, frame=self._picture) if reader.lost else beat
            reader.lost = whole.frame is None and reader.lost
            try:
                reader.sink.send_nowait(whole)
            except WouldBlock:
                reader.source.receive_nowait()
                reader.sink.send_nowait(replace(beat, frame=self._picture))

    def _want_idle(self) -> None:
        if self._next is None:
            self._wanted.set()

    async def _live(self) -> None:
        """Make pictures of the living face, beside the clock, which never waits for them."""
        while True:
            await self._wanted.wait()
            self._wanted = Event()
            sent = self._sent
            picture = await self._idle()
            if self._sent == sent:  # else a shot was shown meanwhile, and this one is stale
                self._next = picture


@dataclass(slots=True, eq=False)
class _Reader:
    """One who follows the beats. `lost`: has not got the picture that is shown."""

    sink: MemoryObjectSendStream[Beat]
    source: MemoryObjectReceiveStream[Beat]
    lost: bool = True


class _Speech:
    """The shots of one speech between `play` and the clock."""

    def __init__(self) -> None:
        self.complete = self.stopped = False
        self.played = Event()
        self._ready: deque[Shot] = deque()
        self._room = Event()

    @property
    def drained(self) -> bool:
        return self.complete and not self._ready

    async def put(self, shot: Shot) -> None:
        while len(self._ready) >= _AHEAD and not self.stopped:
            self._room = Event()
            await self._room.wait()
        if not self.stopped:
            self._ready.append(shot)

    def take(self) -> Shot | None:
        if self._ready:
            self._room.set()
            return self._ready.popleft()
        if self.complete:
            self.played.set()
        return None

    def stop(self) -> None:
        self.stopped = True
        self._ready.clear()
        self._room.set()
        self.played.set()


class _FrameResampler:
    """Changes the rate of whole frames, each as soon as it is there.

    Both rates have a whole number of samples a frame, so every frame of the output is the
    same linear function of a frame of input and a little of the one before: a sinc under a
    Kaiser window. A resampler of any ratio holds back some tens of milliseconds; this one
    delays the sound by `_TAPS / 2` input samples, 0.7 ms at 24 kHz.
    """

    def __init__(self, rate_in: int, rate: int, fps: int) -> None:
        self.rate_in, self._rate = rate_in, rate
        self._before = np.zeros(_TAPS, np.float32)
        ratio = rate_in / rate
        at = np.arange(rate // fps) * ratio
        self._taps = np.floor(at).astype(np.int64)[:, None] + np.arange(1, _TAPS + 1)
        offset = at[:, None] + _TAPS / 2 - self._taps
        cutoff = min(1.0, 1 / ratio)
        window = np.i0(8 * np.sqrt(np.clip(1 - (offset / (_TAPS / 2)) ** 2, 0, 1)))
        weights = np.sinc(offset * cutoff) * window
        self._weights = (weights / weights.sum(1, keepdims=True)).astype(np.float32)

    def push(self, shot: Shot) -> Shot:
        """Return the shot with its audio at the new rate."""
        if self.rate_in == self._rate:
            return shot
        signal = np.concatenate([self._before, shot.audio.float32()])
        self._before = signal[-_TAPS:]
        pcm = to_int16(np.einsum("ij,ij->i", signal[self._taps], self._weights))
        return Shot(Audio(pcm, self._rate, 0, shot.audio.text), shot.frame)
