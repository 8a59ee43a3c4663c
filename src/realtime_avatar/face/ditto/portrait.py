"""From a portrait to what Ditto moves: a square cut upright around the face, and its way back."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.ditto.condition import eyes
from realtime_avatar.face.ditto.pose import Source
from realtime_avatar.face.enrol import only_face, place, resample
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.quality import judge
from realtime_avatar.face.rig import PhotoRig

_SIDE: Final = 2.3  # of the square, over the longer side of the face
_HIGHER: Final = 0.125  # of the square's side: more hair than collar
# The face from its brows down, which is what the networks' own landmarks frame.
_LEFT_EYE, _RIGHT_EYE, _MOUTH = (33, 133), (263, 362), (61, 291)
_FRAME: Final = (
    152, 234, 454, 172, 397, 132, 361, 58, 288, 149, 378, 70, 300, 105, 334, 63, 293,
)  # fmt: skip

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A portrait, and the square of it that moves.

    Attributes:
        frame: uint8 RGB (height, width, 3), as it is shown.
        square: uint8 RGB (side, side, 3), upright around the face.
        way: float64 (2, 3), from the square's pixels, as 512 a side, to the frame's.
        eyes: float32 (8,), see `condition.eyes`.
        remarks: What a better portrait would do better.
        mouth: Centre x and y of what moves in speech, and how far it reaches to the sides and
            up or down, in the square's pixels, as 512 a side.
    """

    frame: NDArray[np.uint8]
    square: NDArray[np.uint8]
    way: NDArray[np.float64]
    eyes: Floats
    remarks: tuple[str, ...]
    mouth: tuple[float, float, float, float] = (256, 330, 100, 80)


@dataclass(frozen=True, slots=True, eq=False)
class DittoRig:
    """An enrolled portrait.

    Attributes:
        cut: The portrait.
        source: What the networks measured on it.
        slices: float16 (depth, height, width, channels), what it looks like.
        photo: The same for the mesh face, which is there when the device is not.
    """

    cut: Cut
    source: Source
    slices: NDArray[np.float16]
    photo: PhotoRig


def cut(
    landmarker: FaceLandmarker, portrait: NDArray[np.uint8], size: tuple[int, int] | None, side: int
) -> Cut:
    """Cut a portrait.

    Args:
        landmarker: Finds its face.
        portrait: RGB, (height, width, 3), upright.
        size: Of the pictures; see `FaceEngine.enrol`.
        side: Of the square, pixels.

    Raises:
        InputError: if there is not just one face, or it is too small or turned too far.
    """
    face = landmarker.track(portrait, only_face(landmarker.detect(portrait)))
    quality = judge(portrait, face)
    (left, top, wide, high), shape = place(portrait, face, size)
    frame = resample(portrait, left, top, wide, high, shape)
    scale = shape[0] / wide
    points = (face.points[:, :2] - (left, top)) * scale
    way = _way(points)
    fine = way * (512 / side)
    fine[:, 2] = way[:, 2] + way[:, :2] @ np.full(2, 256 / side - 0.5)
    flags = cv2.INTER_AREA if np.linalg.norm(fine[:, 0]) > 1 else cv2.INTER_LINEAR
    square = cv2.warpAffine(
        frame, fine, (side, side), flags=flags | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    inverse = cv2.invertAffineTransform(way)
    flat = points @ inverse[:, :2].T + inverse[:, 2]
    depth = face.points[:, 2:] * scale / np.linalg.norm(way[:, 0])
    there = Landmarks(np.concatenate([flat, depth], 1).astype(np.float32), face.weights, face.score)
    return Cut(frame, np.asarray(square, np.uint8), way, eyes(there), quality.remarks, _mouth(flat))


def _mouth(points: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return `Cut.mouth` from landmarks in the square."""
    corners, lips = points[list(_MOUTH)], points[[0, 17]]
    wide = float(np.linalg.norm(corners[1] - corners[0]))
    high = max(float(lips[1, 1] - lips[0, 1]), 0.3 * wide)
    chin = float(points[152, 1])
    # From below the nose to the chin, which sinks with the jaw.
    top, bottom = float(lips[0, 1]) - 0.5 * high, chin + 0.3 * wide
    return float(corners[:, 0].mean()), (top + bottom) / 2, 1.1 * wide, (bottom - top) / 2


def _way(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what takes the square's pixels, 512 a side, to the frame's, (2, 3)."""
    up = points[[*_LEFT_EYE, *_RIGHT_EYE]].mean(0) - points[list(_MOUTH)].mean(0)
    down = -up / max(float(np.linalg.norm(up)), 1e-6)
    right = np.array([down[1], -down[0]])
    axes = np.stack([right, down], 1)  # the square's axes, as columns in the frame
    turned = points[list(_FRAME)] @ axes
    low, high = turned.min(0), turned.max(0)
    side = float((high - low).max()) * _SIDE
    middle = (low + high) / 2 - (0, _HIGHER * side)
    scale = side / 512
    way = np.zeros((2, 3))
    way[:, :2] = axes * scale
    way[:, 2] = axes @ middle - way[:, :2] @ np.full(2, 255.5)
    return way
