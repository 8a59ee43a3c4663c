"""The engine that moves a photograph."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar, TypeVar

import cv2
import numpy as np
from anyio import Lock
from numpy.typing import NDArray
from pydantic import BaseModel

from realtime_avatar.engines.ports import Presence, Rig
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError, EngineError, InputError
from realtime_avatar.face import eyes, mouth, render
from realtime_avatar.face.continuity import Continuity
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.face.rig import PhotoRig, Renderer
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.frames import FrameCutter
from realtime_avatar.media.motion import ARKIT, LIPS, Motion
from realtime_avatar.media.picture import Frame
from realtime_avatar.media.shot import Shot

Floats = NDArray[np.float32]
T = TypeVar("T")

_SMALLEST, _LARGEST = 64, 1920  # sides of a picture, pixels
_STILL = 0.4  # pixels that nothing must have moved by, to look the same
_REPEATS = 3  # pictures in a row that may be one


class _Options(BaseModel, extra="forbid"):
    pass


class Photo:
    """Makes a portrait speak by warping it, on one core.

    Raises:
        ModelMissing: if the face landmarker is not there.
    """

    models: ClassVar[tuple[str, ...]] = ("face-landmarker",)

    def __init__(self, context: Context) -> None:
        context.parse(_Options)
        # Pictures are small: OpenCV's threads would cost more than they bring.
        cv2.setNumThreads(1)
        folder = context.store.path("face-landmarker")
        self.landmarker = FaceLandmarker(folder / "face_landmarker.task")
        for module in (render, eyes, mouth):
            module.compile_kernels()

    async def enrol(
        self, portrait: NDArray[np.uint8], *, size: tuple[int, int] | None = None
    ) -> Rig:
        """Make a portrait ready to move. See `FaceEngine.enrol`."""
        if portrait.ndim != 3 or portrait.shape[2] != 3 or portrait.dtype != np.uint8:
            raise InputError("a portrait must be an RGB picture")
        if size and (size[0] % 2 or size[1] % 2 or not _fits(*size)):
            raise InputError(
                f"a picture must have even sides of {_SMALLEST} to {_LARGEST} pixels,"
                f" not {size[0]}x{size[1]}"
            )
        rig, quality = await step(lambda: enrol(self.landmarker, portrait, size))
        return Rig(rig.width, rig.height, rig, quality.remarks)

    @asynccontextmanager
    async def open(self, rig: Rig, *, fps: int = 25) -> AsyncGenerator["PhotoFace"]:
        """Open a session that moves this rig.

        Raises:
            ConfigError: if the rig is not one of this engine's, or `fps` makes no sense.
        """
        portrait, motion = await opened(rig, fps)
        yield PhotoFace(await step(lambda: Renderer(portrait)), motion)

    def close(self) -> None:
        """Nothing to let go of but memory."""


class PhotoFace:
    """One session: a portrait that says one thing after another, and lives on between."""

    def __init__(self, renderer: Renderer, motion: SpeechMotion) -> None:
        self._renderer, self._motion = renderer, motion
        self._frame: Frame | None = None  # painted last
        self._repeated = 0
        self._continuity = Continuity(motion.fps, LIPS)
        self._due = 0  # sample of the speech from which pictures can be in time
        self._lock = Lock()  # speech and the life between are made by different tasks
        self._broken_off = False

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        """Yield the shots of one speech. See `Face.animate`.

        Raises:
            ConfigError: if its sample rate is no multiple of the frame rate.
            EngineError: if a picture cannot be made.
        """
        cutter, film = FrameCutter(self._motion.fps), deque[Audio]()
        if self._broken_off:  # what was left of the last speech is not said any more
            await self._step(self._motion.drop)
            self._continuity.take_back()
        self._broken_off, self._due = True, 0
        async for chunk in audio:
            film.extend(cutter.push(chunk))
            for piece in _pieces(chunk):
                moves = await self._step(lambda piece=piece: self._motion.push(piece))
                for row in _rows(moves):
                    yield await self._shot(film.popleft(), row)
        moves = await self._step(self._motion.finish)
        film.extend(cutter.finish())
        for row in _rows(moves):
            yield await self._shot(film.popleft(), row)
        self._broken_off = False

    async def idle(self, presence: Presence = "idle") -> Frame:
        """Return the next picture of the face that says nothing. See `Face.idle`.

        Raises:
            EngineError: if a picture cannot be made.
        """
        picture = await self._picture(lambda: _rows(self._motion.idle(1, presence))[0], None)
        assert picture is not None
        return picture

    def skip(self, until: int) -> None:
        """Leave out pictures of what was said before. See `SkippingFace`."""
        self._due = until

    def unseen(self, shots: int) -> None:
        """Go on from the shot before the last `shots`. See `Face.unseen`."""
        self._continuity.take_back(shots)

    @property
    def after(self) -> Floats | None:
        """The motion shown last: weights and pose, (58,). See `ResumableFace`."""
        return self._continuity.shown

    def resume(self, after: Floats) -> None:
        """Go on from it. See `ResumableFace`."""
        self._continuity.follow(after)

    async def _shot(self, audio: Audio, row: Floats) -> Shot:
        return Shot(audio, await self._picture(lambda: row, audio.start))

    async def _picture(self, row: Callable[[], Floats], start: int | None) -> Frame | None:
        """Return the picture of a row that goes on from the one before.

        Args:
            row: Makes it.
            start: First sample of what is said; None if it is nothing.

        Returns:
            None if it would be late.
        """
        async with self._lock:
            try:
                joined, picture = await self._painted(row, start)
            except (ArithmeticError, ValueError, IndexError, cv2.error) as error:
                raise EngineError("face", f"a picture could not be made: {error}") from error
            # Not if cancelled: nobody will see it.
            self._continuity.keep(joined, said=start is not None)
        return picture

    async def _painted(
        self, row: Callable[[], Floats], start: int | None
    ) -> tuple[Floats, Frame | None]:
        """Return the row that is shown, (58,), and its picture; see `_picture`."""

        def work() -> tuple[Floats, Frame | None]:
            joined = self._continuity.join(row(), said=start is not None)
            if self._late(start):
                return joined, None
            paint = self._living if start is None else self._paint
            return joined, paint(*parted(joined))

        return await step(work)

    def _late(self, start: int | None) -> bool:
        return start is not None and start < self._due

    def _living(self, weights: Floats, pose: Floats) -> Frame:
        """Return the picture between speeches, which may be the one before.

        Painting and encoding take a third of a core, which thinking can use.
        """
        frame = self._frame if self._repeated < _REPEATS else None
        if frame is not None and self._renderer.displacement(weights, pose) < _STILL:
            self._repeated += 1
            return frame
        return self._paint(weights, pose)

    def _paint(self, weights: Floats, pose: Floats) -> Frame:
        self._repeated, self._frame = 0, self._renderer.render(weights, pose)
        return self._frame

    async def _step(self, work: Callable[[], T]) -> T:
        async with self._lock:
            return await step(work)


async def opened(rig: Rig, fps: int) -> tuple[PhotoRig, SpeechMotion]:
    """Return what a session begins with: its portrait, and what moves it.

    Raises:
        ConfigError: if the rig is another engine's, or `fps` makes no sense.
    """
    if not isinstance(rig.data, PhotoRig):
        raise ConfigError("this portrait was enrolled by another face engine")
    try:
        return rig.data, await step(lambda: SpeechMotion(fps))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def parted(row: Floats) -> tuple[Floats, Floats]:
    """Return the weights, (52,) in [0, 1], and the pose, (6,), of a row."""
    return np.clip(row[: len(ARKIT)], 0, 1), row[len(ARKIT) :]


def _rows(motion: Motion) -> Floats:
    """Return weights and pose side by side, (frames, 58)."""
    return np.concatenate([motion.weights, motion.pose], 1)


def _pieces(chunk: Audio) -> Generator[Audio]:
    """Yield the chunk in pieces of two pictures; its phonemes come with the first.

    The second picture of a speech is due right after the first: more sound at once would make
    it late, on a machine that speaks the next sentence meanwhile.
    """
    phonemes, size = chunk.phonemes, chunk.rate * 2 // 25
    for at in range(0, chunk.samples, size):
        pcm = chunk.pcm[at : at + size]
        yield replace(chunk, pcm=pcm, start=chunk.start + at, phonemes=phonemes)
        phonemes = ()


def _fits(*sides: int) -> bool:
    return all(_SMALLEST <= side <= _LARGEST for side in sides)
