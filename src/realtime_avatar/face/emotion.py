"""What a feeling adds to a face, whatever else it does."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media.motion import ARKIT, INDEX

_BLEND: Final = 0.3  # seconds from one to the next
_LINGERS: Final = 1.2  # seconds that a feeling outlives what was said with it

# ARKit's weights; a name without a side means both. Then yaw, pitch, roll in degrees and
# x, y, z as in `Motion.pose`. Small: a face that talks plays a feeling down. (Which muscles
# make which: Ekman and Friesen, "Facial Action Coding System", 1978.)
_FACES: Final[dict[str, tuple[dict[str, float], tuple[float, ...]]]] = {
    "neutral": ({}, (0, 0, 0, 0, 0, 0)),
    "warm": (
        {"mouthSmile": 0.26, "cheekSquint": 0.18, "eyeSquint": 0.12, "browInnerUp": 0.08},
        (0, 0, 1.0, 0, 0, 0.008),
    ),
    "happy": (
        {"mouthSmile": 0.52, "cheekSquint": 0.42, "eyeSquint": 0.3, "browOuterUp": 0.15,
         "browInnerUp": 0.12, "mouthUpperUp": 0.1},
        (0, -1.0, 0, 0, 0, 0.01),
    ),
    "concerned": (
        {"browInnerUp": 0.6, "browDown": 0.45, "mouthFrown": 0.22, "mouthPress": 0.1,
         "eyeSquint": 0.2},
        (0, 1.0, -1.8, 0, 0, 0.015),
    ),
    "surprised": (
        {"browInnerUp": 0.6, "browOuterUp": 0.65, "eyeWide": 0.5},
        (0, -1.2, 0, 0, 0.003, -0.012),
    ),
    "sad": (
        {"browInnerUp": 0.85, "mouthFrown": 0.45, "mouthShrugLower": 0.18, "eyeLookDown": 0.1,
         "eyeBlink": 0.12},
        (0, 2.5, 1.5, 0, -0.006, 0),
    ),
}  # fmt: skip

_PUCKER, _FUNNEL = INDEX["mouthPucker"], INDEX["mouthFunnel"]
_LIPS: Final = [i for name, i in INDEX.items() if name.startswith("mouth")]
_OPENING: Final = [i for name, i in INDEX.items() if name.startswith("mouthUpperUp")]


class Emotions:
    """The feelings of one face, one after another.

    Args:
        fps: Frames a second.
    """

    def __init__(self, fps: int) -> None:
        self._dt = 1 / fps
        self._to = "neutral"
        self._since = 1.0  # of the way there
        self._from = self._goal = self._now = _row("neutral")
        self._rest = 0.0  # seconds since something was said

    def step(self, emotion: str | None) -> NDArray[np.float32]:
        """Return what the next frame has of it: weights and pose, (58,).

        Args:
            emotion: Of what is said, one of `media.audio.EMOTIONS`, empty for the one
                before; None while nothing is said.
        """
        self._rest = self._rest + self._dt if emotion is None else 0.0
        emotion = emotion or ("neutral" if self._rest > _LINGERS else self._to)
        if emotion != self._to:
            self._to, self._from, self._goal, self._since = emotion, self._now, _row(emotion), 0.0
        self._since = min(1.0, self._since + self._dt / _BLEND)
        x = np.float32(self._since**2 * (3 - 2 * self._since))
        self._now = (self._from + (self._goal - self._from) * x).astype(np.float32)
        return self._now


def add(weights: NDArray[np.float32], feeling: NDArray[np.float32], closed: float) -> None:
    """Add a feeling's weights to those of speech, in place.

    A smile gives way to rounded lips, and nothing parts lips that have to meet.

    Args:
        weights: ARKit, (52,).
        feeling: The same, as of `Emotions.step`.
        closed: How far the lips have to meet, in [0, 1].
    """
    feeling = feeling.copy()
    feeling[_LIPS] *= np.clip(1 - weights[_PUCKER] - weights[_FUNNEL], 0.2, 1)
    feeling[_OPENING] *= 1 - closed
    weights += feeling


def _row(emotion: str) -> NDArray[np.float32]:
    named, pose = _FACES[emotion]
    row = np.zeros(len(ARKIT) + 6, np.float32)
    for name, value in named.items():
        for full in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            row[INDEX[full]] = value
    row[len(ARKIT) :] = (*np.radians(pose[:3]), *pose[3:])
    return row
