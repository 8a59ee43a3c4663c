"""Ditto's motion as a mesh's: 52 ARKit weights and a pose of the head.

Keypoints of the expression are not named, but people who move LivePortrait by hand have found
what does what, and their sliders are published facts: so much of y at keypoint 19 opens the
mouth, and so on. A motion is taken apart into those directions, none of them negative.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.ditto.pose import EXPRESSION, PITCH, ROLL, SHIFT, YAW, degrees
from realtime_avatar.media.motion import ARKIT, INDEX

Floats = NDArray[np.float32]

# What a full movement adds, by (keypoint, axis), and the weights that it is.
_Unit = tuple[dict[tuple[int, int], float], tuple[str, ...]]
_UNITS: Final[tuple[_Unit, ...]] = (
    ({(19, 1): 0.1, (19, 2): 0.01, (17, 1): -0.01}, ("jawOpen",)),
    (
        {(14, 1): 0.015, (3, 1): -0.0075, (7, 1): -0.0075, (17, 2): -0.0075},
        ("mouthPucker",),
    ),
    (
        {(20, 2): -0.015, (20, 1): -0.015, (14, 1): -0.015},
        ("mouthStretchLeft", "mouthStretchRight"),
    ),
    (
        {
            (20, 1): -0.01, (14, 1): -0.02, (17, 1): 0.0065, (17, 2): 0.003, (13, 1): -0.00275,
            (16, 1): -0.00275, (3, 1): -0.0035, (7, 1): -0.0035,
        },
        ("mouthSmileLeft", "mouthSmileRight"),
    ),
    # Which eye is which is not known for sure: both are shut as far as they are on the mean.
    (
        {(11, 1): 0.02, (13, 1): -0.006, (15, 1): 0.02, (16, 1): -0.006},
        ("eyeBlinkLeft", "eyeBlinkRight"),
    ),
    ({(11, 0): 0.0105, (15, 0): 0.015}, ("eyeLookOutLeft", "eyeLookInRight")),
    ({(11, 0): -0.015, (15, 0): -0.0105}, ("eyeLookInLeft", "eyeLookOutRight")),
    (
        {(11, 1): -0.0225, (13, 1): 0.00225, (15, 1): -0.0225, (16, 1): 0.00225},
        ("eyeLookUpLeft", "eyeLookUpRight"),
    ),
)  # fmt: skip
_ROUNDS: Final = 60  # of projected gradient descent
_TO_EYES: Final = 2.0  # eye distances to a unit of translation: half the square
_FARTHEST: Final = np.array([0.26, 0.26, 0.18, 0.2, 0.2, 0.2], np.float32)
"""How far the mesh can follow before hair is torn: radians, eye distances."""


def _directions() -> Floats:
    table = np.zeros((len(_UNITS), 63), np.float32)
    for row, (moves, _) in zip(table, _UNITS, strict=True):
        for (keypoint, axis), amount in moves.items():
            row[3 * keypoint + axis] = amount
    return table


_DIRECTIONS: Final = _directions()
_USED: Final = np.flatnonzero(_DIRECTIONS.any(0))
# Every number counts as much as it moves at most: eyes as much as the jaw.
_SCALED: Final = _DIRECTIONS[:, _USED] / np.abs(_DIRECTIONS[:, _USED]).max(0)
_GRAM: Final = _SCALED @ _SCALED.T
_PACE: Final = float(1 / np.linalg.eigvalsh(_GRAM)[-1])
_COLUMNS: Final = [(number, INDEX[name]) for number, (_, names) in enumerate(_UNITS)
                   for name in names]  # fmt: skip


def mesh_motion(motion: Floats, first: Floats) -> Floats:
    """Return weights and pose side by side, as `Motion` has them, (frames, 58).

    Args:
        motion: As generated, (frames, 265).
        first: (265,), the generated motion that stands for the portrait as it is.
    """
    moved = (motion - first)[:, EXPRESSION][:, _USED] / np.abs(_DIRECTIONS[:, _USED]).max(0)
    told = moved @ _SCALED.T
    strength = np.zeros((len(motion), len(_UNITS)), np.float32)
    for _ in range(_ROUNDS):
        strength = (strength + _PACE * (told - strength @ _GRAM)).clip(0, None)
    rows = np.zeros((len(motion), len(ARKIT) + 6), np.float32)
    for number, column in _COLUMNS:
        rows[:, column] = strength[:, number].clip(0, 1)
    pose = rows[:, len(ARKIT) :]
    # The pupils that `driven` turns against the head tell the signs of yaw and pitch.
    for column, part, sign in ((0, YAW, -1), (1, PITCH, 1), (2, ROLL, 1)):
        pose[:, column] = sign * np.radians(degrees(motion[:, part]) - degrees(first[part]))
    shift = motion[:, SHIFT] - first[SHIFT]
    pose[:, 3], pose[:, 4] = _TO_EYES * shift[:, 0], -_TO_EYES * shift[:, 1]
    pose[:] = pose.clip(-_FARTHEST, _FARTHEST)
    return rows
