"""Motion made ahead of its pictures: of a speech while it is heard, and of the life between.

A window of motion is dear alone and cheap beside those of other sessions. So it is made in a
task of its own, as long before it is shown as there is sound, and told in what time it is
wanted: the device waits so long for others to compute it with.
"""

from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
from anyio import CancelScope, Event, create_task_group
from anyio.abc import TaskGroup
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.face.ditto.denoiser import FPS
from realtime_avatar.face.ditto.hubert import Ears
from realtime_avatar.face.ditto.windows import NEW, USUAL, MotionStream
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.frames import FrameCutter

Floats = NDArray[np.float32]
T = TypeVar("T")

Move = Callable[[MotionStream, Floats, float], Awaitable[Floats]]
"""Makes the rows of the next frames on a stream: what was heard in them, (frames, condition),
and in what time they are wanted, seconds."""

_SOON: Final = 12  # frames in hand; if there are fewer, any that were heard are worth a window
_MOST: Final = 50  # frames that a speech is ahead of its pictures
_LIFE: Final = 35  # frames in hand at which more life is made
_WITHIN: Final = (0.1, 1.0)  # seconds that a window may take: the first must come soon
_SPARE: Final = 0.2  # seconds that it should be done before it is needed


class Rows:
    """Rows at 25 a second, taken at `fps` a second, those between interpolated."""

    def __init__(self, fps: int) -> None:
        self._fps, self._at = fps, 0
        self._first = 0  # number of the first row that is kept
        self._rows = deque[Floats]()
        self._over: int | None = None

    def push(self, rows: Floats) -> None:
        self._rows.extend(rows)

    def end(self, frames: int) -> None:
        """Say that no more rows come and how many frames are still taken."""
        self._over = self._at + frames

    @property
    def ready(self) -> bool:
        """Whether the next frame can be taken."""
        if self._over is not None:
            return self._at < self._over and bool(self._rows)
        return self._first + len(self._rows) > -(-self._at * FPS // self._fps)

    @property
    def left(self) -> int:
        """Rows that no frame was taken of."""
        return max(0, len(self._rows) - 1) if self._at else len(self._rows)

    @property
    def within(self) -> float:
        """Seconds in which the rows after these are wanted."""
        return min(max(self.left / FPS - _SPARE, _WITHIN[0]), _WITHIN[1])

    def take(self) -> Floats:
        """Return the next frame's row."""
        place = self._at * FPS / self._fps
        while self._first + 1 <= place and len(self._rows) > 1:
            self._rows.popleft()
            self._first += 1
        share = np.float32(min(1.0, place - self._first))
        self._at += 1
        if not share or len(self._rows) == 1:
            return self._rows[0]
        return (self._rows[0] * (1 - share) + self._rows[1] * share).astype(np.float32)


class Life:
    """The life between speeches.

    Args:
        stream: Of its motion.
        quiet: float32 (condition,), what is heard in each of its frames.
        move: Makes rows.
        fps: At which they are taken.
        tasks: Where they are made.
    """

    def __init__(
        self, stream: MotionStream, quiet: Floats, move: Move, fps: int, tasks: TaskGroup
    ) -> None:
        self.stream, self._rows = stream, Rows(fps)
        self._quiet, self._move, self._tasks = np.repeat(quiet[None], NEW, 0), move, tasks
        self._made: Event | None = None  # set when what is being made is there
        self._failure: Exception | None = None

    @property
    def left(self) -> int:
        """Rows that no frame was taken of."""
        return self._rows.left

    async def take(self) -> Floats:
        """Return the next frame's row.

        Raises:
            EngineError: if the device failed; not while there are rows and it can be tried again.
        """
        while True:
            if self._made is None and self._rows.left < _LIFE:
                self._made, self._failure = Event(), None
                self._tasks.start_soon(self._go_on, self._made)
            if self._rows.ready:
                return self._rows.take()
            if self._made is not None:
                await self._made.wait()
            if self._failure is not None:
                raise self._failure

    async def _go_on(self, made: Event) -> None:
        try:
            self._rows.push(await self._move(self.stream, self._quiet, self._rows.within))
        except Exception as error:  # told to whoever takes the next row
            self._failure = error
        finally:
            self._made = None
            made.set()


class Speech:
    """One speech: heard and moved by `run`, in a task of its own; shown by `take`.

    Args:
        audio: What is said.
        stream: Of its motion.
        ears: Its own.
        about: What is wanted of a frame besides its sound, by emotion.
        move: Makes rows.
        fps: Shots a second.
    """

    def __init__(
        self,
        audio: AsyncIterable[Audio],
        stream: MotionStream,
        ears: Ears,
        about: Callable[[str], Floats],
        move: Move,
        fps: int,
    ) -> None:
        self.stream = stream
        self._audio, self._ears, self._about, self._move = audio, ears, about, move
        self._cutter, self._film = FrameCutter(fps), deque[Audio]()
        self._rows = Rows(fps)
        self._heard = deque[Floats]()  # conditions of frames that have no motion yet
        self._moving = 0  # frames of which motion is being made
        self._all_heard = False
        self._failure: Exception | None = None
        self._scope, self._ended = CancelScope(), Event()
        self._changed = Event()

    @property
    def left(self) -> int:
        """Rows that no shot was taken of."""
        return self._rows.left

    async def run(self) -> None:
        """Hear and move all of it; what fails is raised by `take`."""
        try:
            with self._scope:
                async with create_task_group() as tasks:
                    tasks.start_soon(self._listen)
                    await self._keep_ahead()
                self._rows.end(len(self._film))
        except* Exception as group:
            self._failure = group.exceptions[0]
        finally:
            self._ended.set()
            self._changed.set()

    async def take(self) -> tuple[Audio, Floats] | None:
        """Return the next shot's sound and row; None after the last.

        Raises:
            Exception: what hearing or moving raised, after all that was made before.
        """
        await self._until(lambda: self._ready or self._ended.is_set())
        if self._ready:
            self._changed.set()
            return self._film.popleft(), self._rows.take()
        if self._failure is not None:
            raise self._failure
        return None

    async def stop(self) -> None:
        """Hear and move no more; return when neither is under way."""
        self._scope.cancel()
        with CancelScope(shield=True):
            await self._ended.wait()

    @property
    def _ready(self) -> bool:
        return self._rows.ready and bool(self._film)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed = Event() if self._changed.is_set() else self._changed
            await self._changed.wait()

    async def _listen(self) -> None:
        samples, rate, frames, emotion = 0, 1, 0, ""
        async for chunk in self._audio:
            self._film.extend(self._cutter.push(chunk))
            samples, rate, emotion = samples + chunk.samples, chunk.rate, chunk.emotion
            for piece in _pieces(chunk):
                await self._until(lambda: self._ahead < _MOST)
                frames += self._hear(
                    await step(lambda piece=piece: self._ears.push(piece)), emotion
                )
        self._film.extend(self._cutter.finish())
        if self._film or frames:
            rest = max(0, -(-samples * FPS // rate) - frames)
            self._hear(await step(lambda: self._ears.finish(rest)), emotion)
        self._all_heard = True
        self._changed.set()

    def _hear(self, features: Floats, emotion: str) -> int:
        about = np.repeat(self._about(emotion)[None], len(features), 0)
        self._heard.extend(np.concatenate([features, about], 1))
        self._changed.set()
        return len(features)

    async def _keep_ahead(self) -> None:
        """Make motion of what is heard: much at once, but before it is needed."""
        while True:
            await self._until(lambda: self._all_heard or self._is_enough)
            if not self._heard:
                return
            cond = np.stack([self._heard.popleft() for _ in range(min(len(self._heard), NEW))])
            self._moving = len(cond)
            self._rows.push(await self._move(self.stream, cond, self._rows.within))
            self._moving = 0
            self._changed.set()

    @property
    def _ahead(self) -> int:
        return len(self._heard) + self._moving + self.left

    @property
    def _is_enough(self) -> bool:
        return len(self._heard) >= (1 if self.left < _SOON else USUAL)


def _pieces(chunk: Audio) -> list[Audio]:
    """Return the chunk in pieces that are quickly heard."""
    size = chunk.rate // 5
    return [
        replace(chunk, pcm=chunk.pcm[at : at + size], start=chunk.start + at, text="", phonemes=())
        for at in range(0, chunk.samples, size)
    ]
