"""The voice goes on when the face is late."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from itertools import count
from math import inf

import numpy as np
from anyio import EndOfStream, WouldBlock, current_time, move_on_after
from anyio.streams.memory import MemoryObjectReceiveStream

from realtime_avatar.media import Audio, Shot


class Punctual:
    """Gives the shots of one speech in time, the late ones without their picture.

    It knows the speech from before the face gets it. When a shot is not there in time,
    though its sound is, the picture before is held and the sound is heard; the picture
    that comes after all is dropped.

    Args:
        fps: Shots a second.
        skip: Told of samples up to which sound will be heard without its pictures.
    """

    def __init__(self, fps: int, skip: Callable[[int], None] = lambda _: None) -> None:
        self._fps, self._skip = fps, skip
        self._spoken: deque[Audio] = deque()  # what was not shown yet
        self._at = 0  # sample that is heard next

    async def spoken(self, speech: AsyncIterable[Audio]) -> AsyncGenerator[Audio]:
        """Pass the speech on to the face, taking note of it."""
        async for audio in speech:
            self._spoken.append(audio)
            yield audio

    async def shots(self, made: MemoryObjectReceiveStream[Shot]) -> AsyncGenerator[Shot]:
        """Yield the face's shots; all audio is in them once.

        None is held before the first has come: a speech begins with its face. Later ones
        have deadlines a shot apart, which move when whoever takes the shots has enough.
        """
        due, step = inf, 1 / self._fps
        for number in count():
            try:
                shot = await _by(made, due)
            except EndOfStream:
                return
            if shot is None:
                if (shot := self._held()) is None:
                    due = inf  # the voice is late as well
                    continue
                # Nor could the next be made from now on: one too few is better than all late.
                # (The second of all has the least time, and says nothing of those after it.)
                self._skip(shot.audio.end + (shot.audio.samples if number > 1 else 0))
            elif shot.audio.start < self._at:
                continue  # heard already
            self._at = shot.audio.end
            while self._spoken and self._spoken[0].end <= self._at:
                self._spoken.popleft()
            now = current_time()
            yield shot
            taken = current_time() + step / 2
            due = max(taken, now + step if due == inf else due + step)

    def _held(self) -> Shot | None:
        """Return the next shot without a picture, if all of its sound is there."""
        if not self._spoken:
            return None
        rate = self._spoken[0].rate
        start, end = self._at, self._at + rate // self._fps
        if self._spoken[-1].end < end:
            return None
        over = [audio for audio in self._spoken if audio.start < end]
        pcm = np.concatenate([a.pcm[max(0, start - a.start) : end - a.start] for a in over])
        text = "".join(audio.text for audio in over if audio.start >= start)
        phonemes = tuple(p for a in over for p in a.phonemes if start <= p.start < end)
        return Shot(replace(over[0], pcm=pcm, start=start, text=text, phonemes=phonemes), None)


async def _by(made: MemoryObjectReceiveStream[Shot], due: float) -> Shot | None:
    """Return the next shot; None if it is not there in time."""
    try:
        return made.receive_nowait()
    except WouldBlock:
        pass
    with move_on_after(max(0.0, due - current_time())):
        return await made.receive()
    return None
