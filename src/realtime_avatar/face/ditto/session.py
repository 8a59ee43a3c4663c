"""One session of the neural face."""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from anyio import Lock, current_time
from anyio.abc import TaskGroup
from numpy.typing import NDArray

from realtime_avatar.engines.executor import Seat
from realtime_avatar.engines.ports import Presence
from realtime_avatar.engines.runtime import step
from realtime_avatar.face.continuity import Continuity
from realtime_avatar.face.ditto.ahead import Life, Speech
from realtime_avatar.face.ditto.arkit import mesh_motion
from realtime_avatar.face.ditto.condition import Wanted
from realtime_avatar.face.ditto.denoiser import FPS
from realtime_avatar.face.ditto.device import DittoDevice
from realtime_avatar.face.ditto.hubert import Ears, Encoder
from realtime_avatar.face.ditto.ladder import COLUMNS, Ladder
from realtime_avatar.face.ditto.painter import Backdrop
from realtime_avatar.face.ditto.portrait import DittoRig
from realtime_avatar.face.ditto.pose import driven, keypoints, still
from realtime_avatar.face.ditto.windows import MotionStream, Window
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.picture import Frame
from realtime_avatar.media.shot import Shot

Floats = NDArray[np.float32]

_FELT: Final = {
    "neutral": "neutral", "warm": "happy", "happy": "happy", "concerned": "sad",
    "surprised": "surprise", "sad": "sad",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class After:
    """What another session needs to go on from a picture; see `ResumableFace`.

    Attributes:
        newest: float32 (10, 265), the motion up to the picture that was shown last.
        first: float32 (265,), the motion that the portrait stands for.
        row: float32 (63,), the keypoints that were shown last.
    """

    newest: Floats
    first: Floats
    row: Floats


@dataclass(frozen=True, slots=True)
class Tools:
    """What all sessions of an engine share.

    Attributes:
        device: Computes.
        encode: Hears.
        wanted: The conditions of the checkpoint.
        limits: Of motion.
        silence: float32 (1024,), what nothing sounds like.
        emotion: How the face feels where the speech does not say.
    """

    device: DittoDevice
    encode: Encoder
    wanted: Wanted
    limits: tuple[Floats, Floats] | None
    silence: Floats
    emotion: str


class DittoFace:
    """A portrait that says one thing after another, and lives on between.

    Args:
        rig: The portrait.
        tools: What computes.
        seat: The session's place there.
        fps: Pictures a second; motion is made at 25 and pictures between are interpolated.
        tasks: The session's, in which motion is made ahead.
    """

    def __init__(
        self, rig: DittoRig, tools: Tools, seat: Seat[Any, Any], fps: int, tasks: TaskGroup
    ) -> None:
        self._rig, self._tools, self._seat, self._fps = rig, tools, seat, fps
        self._tasks = tasks
        painter = tools.device.painter
        source = rig.source
        self._source = keypoints(source.motion[None], source.kp)[0]
        backdrop = Backdrop(rig.cut, rig.slices, painter.device, painter.kind)
        self._ladder = Ladder(seat, tools.device.kinds, backdrop, self._source, rig.photo, fps)
        self._quiet = np.concatenate([tools.silence, self._about(tools.emotion)])
        self._life = self._living(
            MotionStream(self._window, source.motion, self._quiet, tools.limits)
        )
        self._speech: Speech | None = None
        self._first: Floats | None = None  # the generated motion that the portrait stands for
        self._continuity = Continuity(fps)
        self._lock = Lock()  # speech and the life between are made by different tasks
        self._due = 0.0

    async def animate(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Shot]:
        """Yield the shots of one speech. See `Face.animate`.

        A shot whose picture would come much too late has none.

        Raises:
            ConfigError: if its sample rate is no multiple of the frame rate.
            EngineError: if the device fails.
        """
        speech = self._speech = Speech(
            audio,
            self._life.stream.branch(self._life.left),
            Ears(self._tools.encode),
            lambda emotion: self._about(_FELT.get(emotion, self._tools.emotion)),
            self._keypoints,
            self._fps,
        )
        self._tasks.start_soon(speech.run)
        finished = False
        try:
            while (said := await speech.take()) is not None:
                sound, moved = said
                async with self._lock:
                    row = self._continuity.join(moved, said=True)
                    frame = await self._picture(row, must=False)
                    self._continuity.keep(row, said=True)
                yield Shot(sound, frame)
            finished = True
        finally:
            await speech.stop()
            self._life, self._speech = self._living(speech.stream.branch(speech.left)), None
            if not finished:
                self._continuity.take_back()

    async def idle(self, presence: Presence = "idle") -> Frame:
        """Return the next picture of the face that says nothing. See `Face.idle`.

        Raises:
            EngineError: if the device fails.
        """
        async with self._lock:
            row = self._continuity.join(await self._life.take(), said=False)
            frame = await self._picture(row, must=True)
            assert frame is not None
            self._continuity.keep(row, said=False)
            return frame

    def unseen(self, shots: int) -> None:
        """Go on from the shot before the last `shots`. See `Face.unseen`."""
        self._continuity.take_back(shots)
        self._life.stream.forget(shots * FPS // self._fps)

    @property
    def after(self) -> After | None:
        """The motion and the picture that were shown last. See `ResumableFace`."""
        row = self._continuity.shown
        if row is None or self._first is None:
            return None
        now = self._speech or self._life
        return After(now.stream.branch(now.left).newest, self._first, row)

    def resume(self, after: After) -> None:
        """Go on from it. See `ResumableFace`."""
        self._life.stream.follow(after.newest)
        self._first = after.first
        self._continuity.follow(after.row)

    def _living(self, stream: MotionStream) -> Life:
        return Life(stream, self._quiet, self._keypoints, self._fps, self._tasks)

    async def _keypoints(self, stream: MotionStream, cond: Floats, within: float) -> Floats:
        """Return what is seen in the next frames, (frames, 184); see `ladder.COLUMNS`."""
        motion = await stream.extend(cond, within)
        if self._first is None and len(motion):
            self._first = motion[0]
        first, source = self._first, self._rig.source
        if first is None:
            return np.zeros((0, COLUMNS[-1]), np.float32)

        def work() -> Floats:
            moved = driven(source, motion, first)
            placed = keypoints(moved, source.kp)
            stitched = self._tools.device.stitch(self._source, placed)
            speaking = keypoints(still(source, moved), source.kp)
            return np.concatenate(
                [stitched.reshape(-1, 63), speaking.reshape(-1, 63), mesh_motion(motion, first)], 1
            )

        return await step(work)

    async def _window(self, window: Window, within: float) -> Floats:
        found = await self._seat.do(window, current_time() + within, "motion", must=True)
        assert found is not None
        return found[1]

    async def _picture(self, row: Floats, *, must: bool) -> Frame | None:
        self._due = max(current_time(), self._due) + 1 / self._fps
        return await self._ladder.paint(row, self._due, must=must)

    def _about(self, emotion: str) -> Floats:
        return self._tools.wanted.of(self._rig.cut.eyes, self._rig.source.kp, emotion)
