"""One session of the neural face."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from anyio import Lock, current_time
from numpy.typing import NDArray

from realtime_avatar.engines.executor import Seat
from realtime_avatar.engines.ports import Presence
from realtime_avatar.engines.runtime import step
from realtime_avatar.face.continuity import Continuity
from realtime_avatar.face.ditto.arkit import mesh_motion
from realtime_avatar.face.ditto.condition import SOUND, Wanted
from realtime_avatar.face.ditto.denoiser import FPS
from realtime_avatar.face.ditto.device import DittoDevice
from realtime_avatar.face.ditto.hubert import NOW, Ears, Encoder
from realtime_avatar.face.ditto.ladder import COLUMNS, Ladder
from realtime_avatar.face.ditto.painter import Backdrop
from realtime_avatar.face.ditto.portrait import DittoRig
from realtime_avatar.face.ditto.pose import driven, keypoints, still
from realtime_avatar.face.ditto.windows import NEW, MotionStream, Window
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.frames import FrameCutter
from realtime_avatar.media.picture import Frame
from realtime_avatar.media.shot import Shot

Floats = NDArray[np.float32]

_WINDOW_S: Final = 0.1  # that a window of motion may take, so that others' pictures come between
_FELT: Final = {
    "neutral": "neutral", "warm": "happy", "happy": "happy", "concerned": "sad",
    "surprised": "surprise", "sad": "sad",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class After:
    """What another session needs to go on from a picture; see `ResumableFace`.

    Attributes:
        newest: float32 (10, 265), the motion that was made last.
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
    """

    def __init__(self, rig: DittoRig, tools: Tools, seat: Seat[Any, Any], fps: int) -> None:
        self._rig, self._tools, self._seat, self._fps = rig, tools, seat, fps
        painter = tools.device.painter
        source = rig.source
        self._source = keypoints(source.motion[None], source.kp)[0]
        backdrop = Backdrop(rig.cut, rig.slices, painter.device, painter.kind)
        self._ladder = Ladder(seat, tools.device.kinds, backdrop, self._source, rig.photo, fps)
        self._quiet = np.concatenate([tools.silence, self._about(tools.emotion)])
        self._life = MotionStream(self._window, source.motion, self._quiet, tools.limits)
        self._spoken = self._life
        self._first: Floats | None = None  # the generated motion that the portrait stands for
        self._between = _Rows(fps)  # of the life that was not asked for yet
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
        speech = _Speech(self._life.branch(self._between.left), self._tools.encode, self._fps)
        finished = False
        self._spoken = speech.stream
        try:
            async for chunk in audio:
                speech.film.extend(speech.cutter.push(chunk))
                emotion = _FELT.get(chunk.emotion, self._tools.emotion)
                for piece in _pieces(chunk):
                    await step(lambda piece=piece: speech.hear(piece))
                    if speech.unspoken >= speech.want:
                        await self._say(speech, emotion)
                        async for shot in self._shots(speech):
                            yield shot
                if speech.unspoken:
                    await self._say(speech, emotion)
                    async for shot in self._shots(speech):
                        yield shot
            speech.film.extend(speech.cutter.finish())
            if speech.film:
                await step(speech.finish)
                await self._say(speech, self._tools.emotion)
                speech.rows.end(len(speech.film))
                async for shot in self._shots(speech):
                    yield shot
            finished = True
        finally:
            self._life = self._spoken = speech.stream.branch(speech.rows.left)
            self._between = _Rows(self._fps)
            if not finished:
                self._continuity.take_back()

    async def idle(self, presence: Presence = "idle") -> Frame:
        """Return the next picture of the face that says nothing. See `Face.idle`.

        Raises:
            EngineError: if the device fails.
        """
        async with self._lock:
            while not self._between.ready:
                quiet = np.repeat(self._quiet[None], NEW, 0)
                self._between.push(await self._keypoints(self._life, quiet))
            row = self._continuity.join(self._between.take(), said=False)
            frame = await self._picture(row, must=True)
            assert frame is not None
            self._continuity.keep(row, said=False)
            return frame

    def unseen(self, shots: int) -> None:
        """Go on from the shot before the last `shots`. See `Face.unseen`."""
        self._continuity.take_back(shots)
        self._life.forget(shots * FPS // self._fps)

    @property
    def after(self) -> After | None:
        """The end of the last window, and what was shown. See `ResumableFace`."""
        row = self._continuity.shown
        if row is None or self._first is None:
            return None
        return After(self._spoken.newest, self._first, row)

    def resume(self, after: After) -> None:
        """Go on from it. See `ResumableFace`."""
        self._life.follow(after.newest)
        self._first = after.first
        self._continuity.follow(after.row)

    async def _say(self, speech: "_Speech", emotion: str) -> None:
        """Make motion of all that was heard."""
        features = speech.take()
        about = np.repeat(self._about(emotion)[None], len(features), 0)
        cond = np.concatenate([features, about], 1)
        async with self._lock:
            speech.rows.push(await self._keypoints(speech.stream, cond))

    async def _shots(self, speech: "_Speech") -> AsyncGenerator[Shot]:
        while speech.rows.ready and speech.film:
            audio = speech.film.popleft()
            async with self._lock:
                row = self._continuity.join(speech.rows.take(), said=True)
                frame = await self._picture(row, must=False)
                self._continuity.keep(row, said=True)
            yield Shot(audio, frame)

    async def _keypoints(self, stream: MotionStream, cond: Floats) -> Floats:
        """Return what is seen in the next frames, (frames, 184); see `ladder.COLUMNS`."""
        motion = await stream.extend(cond)
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

    async def _window(self, window: Window) -> Floats:
        due = max(current_time(), self._due) + _WINDOW_S
        found = await self._seat.do(window, due, "motion", must=True)
        assert found is not None
        return found[1]

    async def _picture(self, row: Floats, *, must: bool) -> Frame | None:
        self._due = max(current_time(), self._due) + 1 / self._fps
        return await self._ladder.paint(row, self._due, must=must)

    def _about(self, emotion: str) -> Floats:
        return self._tools.wanted.of(self._rig.cut.eyes, self._rig.source.kp, emotion)


class _Speech:
    """What one speech has come to: sound that waits for pictures, features for motion."""

    def __init__(self, stream: MotionStream, encode: Encoder, fps: int) -> None:
        self.stream = stream
        self.cutter, self.film = FrameCutter(fps), deque[Audio]()
        self.rows = _Rows(fps)
        self.want = NOW
        """Frames that are worth a window; the first come early, later ones are cheap."""
        self._ears = Ears(encode)
        self._features = [np.zeros((0, SOUND), np.float32)]
        self._samples = self._rate = self._taken = 0

    @property
    def unspoken(self) -> int:
        """Frames that were heard and have no motion yet."""
        return sum(map(len, self._features))

    def hear(self, audio: Audio) -> None:
        self._samples, self._rate = self._samples + audio.samples, audio.rate
        self._features.append(self._ears.push(audio))

    def finish(self) -> None:
        frames = -(-self._samples * FPS // self._rate) - self._taken - self.unspoken
        self._features.append(self._ears.finish(max(0, frames)))

    def take(self) -> Floats:
        features = np.concatenate(self._features)
        self._features = [features[:0]]
        self._taken += len(features)
        self.want = min(2 * self.want, NEW)
        return features


class _Rows:
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


def _pieces(chunk: Audio) -> list[Audio]:
    """Return the chunk in pieces that are quickly heard."""
    size = chunk.rate // 5
    return [
        replace(chunk, pcm=chunk.pcm[at : at + size], start=chunk.start + at, text="", phonemes=())
        for at in range(0, chunk.samples, size)
    ]
