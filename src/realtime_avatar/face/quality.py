"""What can be said of a portrait, and what would make it better."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.face.landmarks import Landmarks
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]

_SMALLEST = 80  # height of a face that can be used, forehead to chin, pixels
_MAX_YAW, _MAX_PITCH, _MAX_ROLL = 32, 28, 30  # degrees
_LEVEL_PITCH = 4.0  # what the landmarks' depth says of a level head, degrees
_DARK, _UNEVEN = 55.0, 1.9  # mean grey level; brighter cheek over darker
_BLURRED = 6.0  # contrast of the finest detail
_PARTED = 0.05  # gap between lips that are open, eyes
_RIM = 70.0  # edges across the bridge of the nose, Sobel's; skin has 20 to 35
_BEARDED = 0.62  # brightness of a bearded chin beside that of the cheeks

_CHEEKS: Final = (50, 101, 205, 280, 330, 425)
_CHIN: Final = (170, 208, 199, 428, 395, 175)
_BRIDGE: Final = (193, 417, 351, 122)  # a quadrilateral between the eyes


@dataclass(frozen=True, slots=True)
class Quality:
    """What can be said of a portrait.

    Attributes:
        face_height: Forehead to chin in the file, pixels.
        yaw: How far the head is turned, degrees, positive to its own left.
        pitch: Degrees, positive down.
        roll: Degrees, positive towards its own left shoulder.
        brightness: Of the face, mean grey level.
        sharpness: Contrast of the face's finest detail, grey levels.
        mouth: Height of the opening between the lips, eye distances.
        glasses: Whether there seem to be any.
        beard: Whether there seems to be one.
        remarks: One sentence for each thing that a better portrait would do better, and
            what to do about it.
    """

    face_height: int
    yaw: float
    pitch: float
    roll: float
    brightness: float
    sharpness: float
    mouth: float
    glasses: bool
    beard: bool
    remarks: tuple[str, ...]


def judge(portrait: NDArray[np.uint8], face: Landmarks) -> Quality:
    """Return what can be said of a portrait.

    Args:
        portrait: RGB.
        face: The one in it.

    Raises:
        InputError: if the face is too small or turned too far to be used.
    """
    points = face.points
    high = float(np.linalg.norm(points[152] - points[10]))
    if high < _SMALLEST:
        raise InputError(
            f"the face is only {high:.0f} pixels high; it must have at least {_SMALLEST}"
        )
    yaw, pitch, roll = angles(points)
    if abs(yaw) > _MAX_YAW:
        raise InputError(
            f"the head is turned about {abs(yaw):.0f} degrees to the side;"
            f" it must look towards the camera, within {_MAX_YAW}"
        )
    if abs(pitch) > _MAX_PITCH or abs(roll) > _MAX_ROLL:
        raise InputError("the head is tilted too far; it must be held level")

    remarks: list[str] = []
    if high < 240:
        remarks.append(f"the face is {high:.0f} pixels high; with 400 or more it looks sharper")
    if max(abs(yaw), abs(pitch)) > 15:
        remarks.append("the head is turned; a portrait from the front moves more naturally")
    light, sharpness = _light_and_sharpness(portrait, face)
    if light < _DARK:
        remarks.append("the face is dark; more light on it would help")
    elif _sides(portrait, points) > _UNEVEN:
        remarks.append(
            "one side of the face is much darker; light from the front suits a moving face better"
        )
    if sharpness < _BLURRED:
        remarks.append("the portrait is blurred; take one that is in focus")
    mouth = float(np.linalg.norm(points[13] - points[14])) / face.eye_distance
    if mouth > _PARTED:
        remarks.append("the mouth is open; with closed lips the speech looks better")
    blinks = face.weights[[INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]]
    if blinks.max() > 0.55:
        remarks.append("an eye is closed; take a portrait with both open")
    glasses, beard = _glasses(portrait, points), _beard(portrait, points)
    if glasses:
        remarks.append(
            "glasses: their reflections stay where they are and lids move behind them;"
            " without them the eyes look better"
        )
    if beard:
        remarks.append("a beard hides the edge of the lips; small movements show less")
    return Quality(
        round(high), yaw, pitch, roll, light, sharpness, mouth, glasses, beard, tuple(remarks)
    )


def angles(points: Floats) -> tuple[float, float, float]:
    """Return yaw, pitch and roll of the head in degrees, as `Motion.pose` counts them."""
    across, down = points[454] - points[234], points[152] - points[10]
    yaw = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    pitch = np.degrees(np.arctan2(down[2], np.hypot(down[0], down[1]))) - _LEVEL_PITCH
    roll = np.degrees(np.arctan2(across[1], across[0]))
    return float(yaw), float(-pitch), float(roll)


def _light_and_sharpness(portrait: NDArray[np.uint8], face: Landmarks) -> tuple[float, float]:
    """Return the mean brightness of the face and the contrast of its finest detail.

    The detail is measured with the face at most 400 pixels wide, so that a large sharp
    portrait and a small one compare.
    """
    left, top, right, bottom = (round(value) for value in face.box)
    part = portrait[max(top, 0) : bottom, max(left, 0) : right]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    scale = 400 / grey.shape[1]
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detail = cv2.Laplacian(grey, cv2.CV_32F)
    return float(grey.mean()), float(np.asarray(detail).std())


def _near(portrait: NDArray[np.uint8], points: Floats, landmarks: tuple[int, ...]) -> Floats:
    """Return the mean grey level around each of some landmarks."""
    reach = max(1, round(0.05 * float(np.linalg.norm(points[33] - points[263]))))
    levels: list[float] = []
    for x, y in np.rint(points[list(landmarks), :2]).astype(int).tolist():
        spot = portrait[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        levels.append(float(spot.mean()) if spot.size else 0.0)
    return np.array(levels, np.float32)


def _sides(portrait: NDArray[np.uint8], points: Floats) -> float:
    """Return how much brighter one cheek is than the other."""
    levels = _near(portrait, points, _CHEEKS)
    left, right = float(levels[:3].mean()) + 1, float(levels[3:].mean()) + 1
    return max(left, right) / min(left, right)


def _beard(portrait: NDArray[np.uint8], points: Floats) -> bool:
    chin = float(np.median(_near(portrait, points, _CHIN)))
    return chin < _BEARDED * float(np.median(_near(portrait, points, _CHEEKS)))


def _glasses(portrait: NDArray[np.uint8], points: Floats) -> bool:
    """Return whether something lies across the bridge of the nose.

    Skin there is smooth from top to bottom; a frame is a line across it.
    """
    eyes = float(np.linalg.norm(points[33] - points[263]))
    scale = min(1.0, 120 / eyes)
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    edges = np.abs(np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1)))
    at = points[:, :2] * np.float32(scale)

    mask = np.zeros(grey.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(at[list(_BRIDGE)]).astype(np.int32), 1)
    inside = edges[mask > 0]
    return bool(inside.size) and float(np.percentile(inside, 90)) > _RIM
