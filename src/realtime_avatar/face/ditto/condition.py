"""What the diffusion is told of each frame, beside the sound: feeling, eyes, whose face."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ConfigError
from realtime_avatar.face.landmarks import Landmarks

SOUND: Final = 1024
"""Numbers of a frame of HuBERT's features."""

EMOTIONS: Final = (
    "angry", "disgust", "fear", "happy", "neutral", "sad", "surprise", "contempt",
)  # fmt: skip
_SURE = 8.0  # score of the emotion that is meant, before the softmax

# Landmarks: eye corners (outer, inner), lids (three pairs), pupil.
_EYES: Final = (
    ((33, 133), ((145, 159), (144, 160), (153, 158)), 468),
    ((263, 362), ((374, 386), (373, 387), (380, 385)), 473),
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conditions a checkpoint was trained with, in the order they follow the sound.

    Attributes:
        emotion: 8 numbers, one for each of `EMOTIONS`.
        eye_open: 2 numbers.
        eye_ball: 6 numbers.
        face: 63 numbers, the portrait's keypoints at rest.
    """

    emotion: bool
    eye_open: bool
    eye_ball: bool
    face: bool

    @property
    def width(self) -> int:
        """Numbers in all, sound included."""
        return SOUND + 8 * self.emotion + 2 * self.eye_open + 6 * self.eye_ball + 63 * self.face

    def check(self, width: int) -> None:
        """Compare with the numbers that the network takes.

        Raises:
            ConfigError: if they do not add up.
        """
        if width != self.width:
            parts = [name for name in ("emotion", "eye_open", "eye_ball", "face")
                     if getattr(self, name)]  # fmt: skip
            raise ConfigError(
                f"Ditto's motion network takes {width} numbers for each frame, but its config asks"
                f" for {self.width}: {SOUND} of sound and {', '.join(parts) or 'nothing else'}"
            )

    def of(self, eyes: Floats, kp: Floats, emotion: str) -> Floats:
        """Return what follows the sound, (numbers,).

        Args:
            eyes: (8,), as `eyes` measures them.
            kp: (21, 3), the portrait's keypoints at rest.
            emotion: One of `EMOTIONS`.
        """
        scores = np.zeros(len(EMOTIONS))
        scores[EMOTIONS.index(emotion)] = _SURE
        feeling = np.exp(scores) / np.exp(scores).sum()
        parts = (feeling, eyes[:2], eyes[2:], kp.ravel())
        wanted = (self.emotion, self.eye_open, self.eye_ball, self.face)
        chosen = [part for part, want in zip(parts, wanted, strict=True) if want]
        return np.concatenate([*chosen, []]).astype(np.float32)


def eyes(face: Landmarks) -> Floats:
    """Return how open both eyes are and where they look, (8,).

    Two openings (the sum of three distances between the lids over the eye's width), then
    x, y and z of both pupils' offset from the middle between the corners, left and right in
    turn, each less the direction of its eye.

    Args:
        face: Measured on the square of 512 pixels.
    """
    points = face.points / 512
    openings: list[float] = []
    moves: list[NDArray[np.float32]] = []
    for (outer, inner), lids, pupil in _EYES:
        corner, other = points[outer], points[inner]
        width = float(np.linalg.norm(corner - other))
        gaps = [np.linalg.norm(points[low] - points[high]) for low, high in lids]
        openings.append(float(sum(gaps)) / (width + 1e-8))
        away = points[pupil] - (corner + other) / 2
        far = np.linalg.norm(away)
        moves.append((away / (far + 1e-8) - (corner - other) / (width + 1e-8)) * far)
    return np.concatenate([openings, np.stack(moves, 1).ravel()]).astype(np.float32)
