"""Speech to motion: what the face does while this is heard, and between."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.ports import Presence
from realtime_avatar.face.emotion import Emotions, add
from realtime_avatar.face.life import Life
from realtime_avatar.face.network import RATE, Stream, shared
from realtime_avatar.face.prosody import SPEAKING, Prosody
from realtime_avatar.face.visemes import ARTICULATIONS, LATELY, articulate, decided, parted, shape
from realtime_avatar.media.audio import EMOTIONS, Audio, Phoneme
from realtime_avatar.media.motion import ARKIT, INDEX, Motion
from realtime_avatar.media.resample import Resampler

_HEARD_RATE: Final = 16_000
_JAW, _CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]
_CLOSED: Final = ARTICULATIONS.index("closed")
_AHEAD: Final = 0.12  # seconds, as the network's
_NEAR: Final = 0.5  # seconds after a phoneme in which the phonemes know of the lips, not the ears

# The labels that the network learned from are of a small, distant face whose lips hardly
# register; a portrait that fills the picture has to show more than they say.
_GAIN: Final = {
    "jawOpen": 1.0, "mouthClose": 1.0, "mouthPucker": 1.6, "mouthFunnel": 4.0,
    "mouthLowerDown": 7.0, "mouthUpperUp": 20.0, "mouthPress": 1.0, "mouthRollLower": 1.5,
    "mouthRollUpper": 1.0, "mouthShrugLower": 2.0, "mouthStretch": 4.0, "mouthDimple": 3.0,
    "mouthSmile": 1.5,
}  # fmt: skip
_LIMIT: Final = {"mouthLowerDown": 0.45, "mouthUpperUp": 0.3, "mouthStretch": 0.25,
                 "mouthSmile": 0.3, "mouthDimple": 0.2, "mouthFunnel": 0.5}  # fmt: skip
# A regression is shy of extremes, the more so with a strange voice: openings of ordinary speech
# are drawn apart about half of them.
_HEARD_OPEN: Final = (0.0, 0.05, 0.11, 0.2, 0.33, 1.0)
_SHOWN_OPEN: Final = (0.0, 0.05, 0.092, 0.23, 0.33, 1.0)
_RISING, _FALLING = 0.34, 0.1  # of being awake, 20 ms
# Of any mouth weight, a second. Seen, the jaw is faster: the landmarker leaps at small openings.
_FASTEST: Final = 0.13 * 25
# Likewise of lips that part and meet, jawOpen less mouthClose. They would leap further, over a jaw
# that hardly moves; slower ones miss closures of two frames.
_PARTING, _MEETING = 0.11 * 25, 0.17 * 25
_SOON: Final = 0.04  # seconds before the phonemes shut the lips in which these begin to meet
_MET: Final = 0.5  # by so much


def _per_unit(units: Sequence[str], table: dict[str, float], other: float) -> NDArray[np.float32]:
    return np.array(
        [next((v for n, v in table.items() if unit.startswith(n)), other) for unit in units],
        np.float32,
    )


def _stretched(jaw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return openings in [0, 1] further apart: no two become one."""
    return np.interp(jaw, _HEARD_OPEN, _SHOWN_OPEN).astype(np.float32)


class SpeechMotion:
    """The motion of one face: one per session, silent or speaking.

    `push` what is heard, `finish` when it ends, `idle` until the next: one stream, in
    which the eyes, the head and the breath never stop. What comes out does not depend on
    how the audio was cut into chunks.

    Args:
        fps: Frames a second: 25, 30 or 50.
        seed: Of blinks, glances and sway.

    Raises:
        ValueError: for another frame rate.
    """

    def __init__(self, fps: int = 25, *, seed: int = 0) -> None:
        if fps not in (25, 30, 50):
            raise ValueError(f"25, 30 or 50 frames a second, not {fps}")
        self.fps = fps
        self._network = shared()
        self._columns = [INDEX[name] for name in self._network.units]
        self._gain = _per_unit(self._network.units, _GAIN, 0.0)
        self._limit = _per_unit(self._network.units, _LIMIT, 1.0)
        self._life, self._emotions = Life(fps, seed), Emotions(fps)
        self._mouth = np.zeros(len(ARKIT), np.float32)
        # A frame shows the network's output at 50 Hz whose look-ahead ends 120 ms after it.
        self._shift = 1 if fps == 25 else 0
        self._begin()

    def push(self, audio: Audio) -> Motion:
        """Take the next stretch of speech.

        Args:
            audio: Of any rate, consecutive with the one before. Its phonemes, where the
                voice knows them, sharpen what the lips do.

        Returns:
            The frames whose 120 ms of look-ahead is there, possibly none.

        Raises:
            ValueError: if it does not follow the stretch before, or its emotion is unknown.
        """
        if audio.emotion and audio.emotion not in EMOTIONS:
            raise ValueError(f"there is no emotion {audio.emotion!r}; known: {', '.join(EMOTIONS)}")
        if not self._rate:
            self._rate, self._start = audio.rate, audio.start
        self._felt.append((self._samples, audio.emotion))
        self._samples += audio.samples
        self._phonemes += audio.phonemes
        self._hear(self._resampler.push(audio))
        return self._motion(self._ready())

    def finish(self) -> Motion:
        """End this stretch of speech; return the frames that are left.

        All frames of the stretch together are as many as it takes to cover it.
        """
        if not self._samples:
            self._begin()
            return self.idle(0)
        total = -(-self._samples * self.fps // self._rate)
        self._hear(self._resampler.flush())
        while self._ready() < total:
            self._hear(Audio.silence(_HEARD_RATE // RATE, _HEARD_RATE))
        motion = self._motion(total)
        self._begin()
        return motion

    def drop(self) -> None:
        """Break this stretch of speech off: what it has not returned is not shown."""
        self._begin()

    def idle(self, frames: int, presence: Presence = "idle") -> Motion:
        """Return `frames` frames of the face while nothing is said, or what is said is late."""
        quiet = np.zeros((frames, len(ARKIT)), np.float32)
        return self._alive(quiet, Prosody.silence(frames), quiet[:, 0], [None] * frames, presence)

    def _begin(self) -> None:
        self._resampler = Resampler(_HEARD_RATE)
        self._stream = Stream(self._network)
        self._prosody = Prosody(self._network.ahead)
        self._rate = self._start = self._samples = self._done = self._seen = 0
        self._first = 0  # output at 50 Hz that the rows below begin with
        self._outputs = np.zeros((0, len(self._network.outputs)), np.float32)
        self._moods = Prosody.silence(0)
        self._lately = np.zeros(LATELY, np.float32)  # how closed lips were, as heard
        self._awake = 0.0  # from 0 in silence to 1 in speech
        self._phonemes: list[Phoneme] = []
        self._felt: list[tuple[int, str]] = []  # from which sample of the stretch on

    def _hear(self, audio: Audio) -> None:
        """Take sound of 16 kHz through the network."""
        outputs, mels = self._stream.push(audio.float32())
        moods = self._prosody.push(mels)
        units = len(self._columns)
        outputs[:, :units] -= self._rest(moods[:, SPEAKING])
        heard = np.concatenate([self._lately, outputs[:, units + _CLOSED]])
        outputs[:, units + _CLOSED], self._lately = parted(heard), heard[len(outputs) :]
        self._outputs = np.concatenate([self._outputs, outputs])
        self._moods = np.concatenate([self._moods, moods])

    def _rest(self, speaking: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what of the network's output is a mouth at rest, shape (steps, units).

        That is less in speech than what the network makes of silence.
        """
        awake = np.empty((len(speaking), 1), np.float32)
        for row, now in zip(awake, speaking.tolist(), strict=True):
            self._awake += float(np.clip(now - self._awake, -_FALLING, _RISING))
            row[:] = self._awake
        return self._network.hushed + awake * (self._network.rest - self._network.hushed)

    def _ready(self) -> int:
        """Return how many frames of this stretch have their look-ahead."""
        have = self._first + len(self._outputs) - 1 - self._shift
        return max(0, have * self.fps // RATE + 1)

    def _motion(self, total: int) -> Motion:
        """Return the frames up to `total` that have not been returned yet."""
        frames = np.arange(self._done, max(total, self._done))
        at = frames * RATE / self.fps + self._shift - self._first
        down = np.floor(at).astype(int)
        share = (at - down)[:, None].astype(np.float32)
        up = np.minimum(down + 1, len(self._outputs) - 1)
        outputs = (self._outputs[down] * (1 - share) + self._outputs[up] * share).astype(np.float32)
        units = len(self._columns)
        weights = np.zeros((len(frames), len(ARKIT)), np.float32)
        weights[:, self._columns] = np.clip(outputs[:, :units] * self._gain, 0, self._limit)
        weights[:, _JAW] = _stretched(weights[:, _JAW])
        lips = self._lips(frames, decided(outputs[:, units:], told=False))
        weights = shape(weights, lips)
        moods = np.zeros((len(frames), 3), np.float32)
        for i, until in enumerate(down.tolist()):
            since = min(until, int(down[i - 1]) + 1 if i else self._seen - self._first)
            moods[i] = self._moods[since : until + 1].max(0)
        if len(frames):
            self._done = int(frames[-1]) + 1
            self._seen = self._first + int(down[-1]) + 1
            drop = max(0, int(down[-1]))
            self._first += drop
            self._outputs, self._moods = self._outputs[drop:], self._moods[drop:]
        return self._alive(weights, moods, lips[:, _CLOSED], self._feelings(frames))

    def _lips(self, frames: NDArray[np.int64], heard: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is asked of the lips in each frame: by the phonemes, else as heard.

        Only phonemes that begin within a frame's look-ahead count, although a voice may
        have told of more: chunking must change nothing.
        """
        if not self._phonemes:
            return heard
        times = (frames + 0.5) / self.fps + self._start / self._rate
        ahead = 0.5 / self.fps + _AHEAD
        told, soon = (
            decided(articulate(self._phonemes, self._rate, times + at, ahead - at), told=True)
            for at in (0, _SOON)
        )
        told[:, _CLOSED] = np.maximum(told[:, _CLOSED], soon[:, _CLOSED] - (1 - _MET))
        spans = np.array([(p.start, p.end) for p in self._phonemes]) / self._rate
        after = np.less(spans[:, 0], times[:, None] + ahead)
        near = np.any(after & np.greater(spans[:, 1], times[:, None] - _NEAR), axis=1)
        gone = self._start + (self._done / self.fps - _NEAR) * self._rate
        self._phonemes = [p for p in self._phonemes if p.end > gone]
        return np.where(near[:, None], told, heard)

    def _feelings(self, frames: NDArray[np.int64]) -> list[str | None]:
        """Return what is felt in each frame: what was told last, at its end."""
        felt: list[str | None] = []
        for frame in frames.tolist():
            heard = (frame + 1) * self._rate // self.fps
            while len(self._felt) > 1 and self._felt[1][0] < heard:
                del self._felt[0]
            felt.append(self._felt[0][1])
        return felt

    def _alive(
        self,
        weights: NDArray[np.float32],
        moods: NDArray[np.float32],
        closed: NDArray[np.float32],
        felt: Sequence[str | None],
        presence: Presence = "idle",
    ) -> Motion:
        """Return the mouth's weights, no faster than a mouth is, with life and feelings added.

        Lips still meet when they have to, for however slow the jaw, they move faster than it.
        """
        fastest = np.float32(_FASTEST / self.fps)
        meeting, parting = _MEETING / self.fps, _PARTING / self.fps
        for row, shut in zip(weights, closed.tolist(), strict=True):
            row[:] = np.clip(row, self._mouth - fastest, self._mouth + fastest)
            row[_CLOSE] = min(max(row[_CLOSE], shut * row[_JAW]), row[_JAW])
            before = self._mouth[_JAW] - self._mouth[_CLOSE]
            apart = np.clip(row[_JAW] - row[_CLOSE], before - meeting, before + parting)
            row[_CLOSE] = max(row[_JAW] - apart, 0)
            self._mouth = row.copy()
        living, pose = self._life.frames(moods, presence)
        weights = weights + living
        for row, turn, shut, emotion in zip(weights, pose, closed.tolist(), felt, strict=True):
            feeling = self._emotions.step(emotion)
            add(row, feeling[: len(ARKIT)], shut)
            turn += feeling[len(ARKIT) :]
        return Motion(np.clip(weights, 0, 1), pose)
