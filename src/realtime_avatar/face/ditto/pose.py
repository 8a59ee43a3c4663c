"""From a motion to the keypoints that it moves (LivePortrait's equation 2)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Where the parts of a motion are, in a row of 265.
SCALE, PITCH, YAW, ROLL = slice(0, 1), slice(1, 67), slice(67, 133), slice(133, 199)
SHIFT, EXPRESSION = slice(199, 202), slice(202, 265)
HEAD: Final = slice(0, 202)
"""All but the expression."""

# Keypoints that belong to the lips and to the eyes; the others keep the portrait's expression.
_LIPS, _EYES = (6, 12, 14, 17, 19, 20), (11, 13, 15, 16, 18)
# The gaze stays on the camera while the head turns: per degree of yaw towards and away from
# either side, and of pitch, for the numbers of the expression that move the two pupils.
_PUPILS_X, _PUPILS_Y = (33, 45), (34, 46)
_YAW, _PITCH = 0.26, 0.28
_NEAR, _FAR = 0.0007, 0.001


@dataclass(frozen=True, slots=True)
class Source:
    """What was measured on a portrait.

    Attributes:
        motion: float32 (265,).
        kp: float32 (21, 3), its keypoints at rest, seen from the front.
    """

    motion: Floats
    kp: Floats


def degrees(scores: NDArray[Any]) -> Floats:
    """Return angles from scores for 66 of them, 3 degrees apart, (..., 66) -> (...)."""
    share = np.exp(scores - scores.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return (share @ (3 * np.arange(66, dtype=np.float32) - 97.5)).astype(np.float32)


def rotations(pitch: Floats, yaw: Floats, roll: Floats) -> Floats:
    """Return what turns row vectors, (..., 3, 3), from angles in degrees."""
    (sx, sy, sz), (cx, cy, cz) = (f(np.radians([pitch, yaw, roll])) for f in (np.sin, np.cos))
    one, zero = np.ones_like(sx), np.zeros_like(sx)
    x = _matrix(one, zero, zero, zero, cx, -sx, zero, sx, cx)
    y = _matrix(cy, zero, sy, zero, one, zero, -sy, zero, cy)
    z = _matrix(cz, -sz, zero, sz, cz, zero, zero, zero, one)
    return np.swapaxes(z @ y @ x, -1, -2).astype(np.float32)


def keypoints(motion: NDArray[Any], kp: Floats) -> Floats:
    """Return where the keypoints of a face are, (frames, 21, 3).

    Args:
        motion: (frames, 265).
        kp: (21, 3), at rest.
    """
    turn = rotations(*(degrees(motion[:, part]) for part in (PITCH, YAW, ROLL)))
    expression = motion[:, EXPRESSION].reshape(-1, 21, 3)
    placed = (kp @ turn + expression) * (1 + motion[:, SCALE, None])
    placed[..., :2] += motion[:, None, SHIFT][..., :2]
    return placed.astype(np.float32)


def driven(source: Source, motion: Floats, first: Floats) -> Floats:
    """Return the portrait's motion when it does what was generated, (frames, 265).

    Args:
        source: The portrait.
        motion: As generated, (frames, 265).
        first: (265,), the generated motion that stands for the portrait as it is.
    """
    moved = source.motion + (motion - first)
    moved[:, SCALE] = source.motion[SCALE]
    drives = np.zeros((21, 3), np.float32)
    drives[[*_LIPS, *_EYES]] = 1
    share = drives.reshape(-1)
    moved[:, EXPRESSION] *= share
    moved[:, EXPRESSION] += (1 - share) * source.motion[EXPRESSION]
    yaw = _YAW * (degrees(moved[:, YAW]) - degrees(source.motion[YAW]))
    pitch = _PITCH * (degrees(moved[:, PITCH]) - degrees(source.motion[PITCH]))
    expression = moved[:, EXPRESSION]
    one, other = _PUPILS_X
    expression[:, one] += yaw * np.where(yaw > 0, _NEAR, _FAR)
    expression[:, other] += yaw * np.where(yaw > 0, _FAR, _NEAR)
    expression[:, _PUPILS_Y] -= (pitch * _FAR)[:, None]
    return moved.astype(np.float32)


def still(source: Source, moved: Floats) -> Floats:
    """Return a motion of `driven` with all but the lips as the portrait has it."""
    kept = np.repeat(source.motion[None], len(moved), 0)
    lips = [EXPRESSION.start + 3 * keypoint + axis for keypoint in _LIPS for axis in range(3)]
    kept[:, lips] = moved[:, lips]
    return kept


def _matrix(*numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack(numbers, -1).reshape(*numbers[0].shape, 3, 3)
