"""What a face should do, in numbers that any renderer understands."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ARKIT: Final = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""Apple ARKit's 52 blend shapes in alphabetical order: the columns of `Motion.weights`.
MediaPipe's scores have the same order with `_neutral` first and no `tongueOut`."""

INDEX: Final = {name: column for column, name in enumerate(ARKIT)}

LIPS: Final = tuple(
    column
    for name, column in INDEX.items()
    if name.startswith(("jaw", "mouth", "tongue"))
    and not name.startswith(("mouthSmile", "mouthFrown", "mouthDimple"))
)
"""Columns that sounds move, rather than moods."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Frames of facial motion.

    Attributes:
        weights: float32, shape (frames, 52), each in [0, 1], columns as in `ARKIT`.
        pose: float32, shape (frames, 6): yaw, pitch and roll of the head in radians
            (positive: to its own left, down, towards its own left shoulder), then
            translation x (right in the picture), y (up) and z (towards the viewer) in
            distances between the outer eye corners.
    """

    weights: NDArray[np.float32]
    pose: NDArray[np.float32]
