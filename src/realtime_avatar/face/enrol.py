"""From a portrait to a rig: which face, cut how, and is it good enough."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.rig import PhotoRig, make
from realtime_avatar.media.motion import INDEX

MAX_HEIGHT = 1080
"""Of the pictures of a portrait shown in its own shape."""

_BESIDE = 0.45  # a face smaller than this share of the main one is background
_SMALLEST = 80  # height of a face that can be used, forehead to chin, pixels
_MAX_YAW, _MAX_PITCH, _MAX_ROLL = 32, 28, 30  # degrees
_LEVEL_PITCH = 4.0  # what the landmarks' depth says of a level head, degrees
_FRAMING = 0.245  # eye distance over the width of a head-and-shoulders picture
_EYE_LINE = 0.42  # how far down in it the eyes are
_FINEST = 2.0  # texels to a pixel


@dataclass(frozen=True, slots=True)
class Quality:
    """What can be said of a portrait.

    Attributes:
        face_height: Forehead to chin in the file, pixels.
        yaw: How far the head is turned, degrees, positive to its own left.
        pitch: Degrees, positive down.
        roll: Degrees, positive towards its own left shoulder.
        remarks: One sentence for each thing that a better portrait would do better.
    """

    face_height: int
    yaw: float
    pitch: float
    roll: float
    remarks: tuple[str, ...]


def enrol(
    landmarker: FaceLandmarker,
    portrait: NDArray[np.uint8],
    size: tuple[int, int] | None = None,
) -> tuple[PhotoRig, Quality]:
    """Make a portrait ready to move.

    Args:
        landmarker: Finds its face.
        portrait: RGB, (height, width, 3), upright.
        size: Width and height of the pictures, even: the head and shoulders are cut out.
            By default the whole portrait, at most `MAX_HEIGHT` high; of an odd number of
            rows or columns, the last is cut off, since video wants even ones.

    Raises:
        InputError: if there is not just one face, or it is too small or turned too far.
    """
    face = _only(landmarker.detect(portrait))
    face = landmarker.track(portrait, face)
    quality = _judge(portrait, face)
    height, width = portrait.shape[:2]
    if size is None:
        left, top, wide, high = 0, 0, width, height
        scale = min(1.0, MAX_HEIGHT / height)
        columns, rows = (max(2, int(length * scale) // 2 * 2) for length in (width, height))
        # The odd row or column is cut off, not squeezed in.
        wide, high = (min(float(wide), columns / scale), min(float(high), rows / scale))
    else:
        columns, rows = size
        left, top, wide, high = _frame(face, width, height, columns / rows)
    fine = float(np.clip(wide / columns, 1.0, _FINEST))
    shape = (round(columns * fine), round(rows * fine))
    texture = _resample(portrait, left, top, wide, high, shape)
    points = (face.points - np.array([left, top, 0], np.float32)) * np.float32(columns / wide)
    return make(texture, points, columns, rows), quality


def _only(faces: list[Landmarks]) -> Landmarks:
    if not faces:
        raise InputError("there is no face in the portrait, or it is turned away from the camera")
    main = faces[0]
    count = sum(face.eye_distance > _BESIDE * main.eye_distance for face in faces)
    if count > 1:
        raise InputError(f"there are {count} faces in the portrait; it must show one person")
    return main


def _judge(portrait: NDArray[np.uint8], face: Landmarks) -> Quality:
    points = face.points
    high = float(np.linalg.norm(points[152] - points[10]))
    if high < _SMALLEST:
        raise InputError(
            f"the face is only {high:.0f} pixels high; it must have at least {_SMALLEST}"
        )
    yaw, pitch, roll = _angles(points)
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
    if light < 55:
        remarks.append("the face is dark; more light on it would help")
    if sharpness < 6:
        remarks.append("the portrait is blurred")
    gap = float(np.linalg.norm(points[13] - points[14])) / face.eye_distance
    if gap > 0.05:
        remarks.append("the mouth is open; with closed lips the speech looks better")
    blinks = face.weights[[INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]]
    if blinks.max() > 0.55:
        remarks.append("an eye is closed")
    return Quality(round(high), yaw, pitch, roll, tuple(remarks))


def _angles(points: NDArray[np.float32]) -> tuple[float, float, float]:
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


def _frame(
    face: Landmarks, width: int, height: int, aspect: float
) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a head-and-shoulders cut inside the portrait."""
    eyes = face.points[[33, 263], :2].mean(0)
    wide = face.eye_distance / _FRAMING * max(1.0, aspect)
    high = wide / aspect
    shrink = min(1.0, width / wide, height / high)
    wide, high = wide * shrink, high * shrink
    left = np.clip(eyes[0] - wide / 2, 0, width - wide)
    top = np.clip(eyes[1] - high * _EYE_LINE, 0, height - high)
    return float(left), float(top), wide, high


def _resample(
    portrait: NDArray[np.uint8],
    left: float,
    top: float,
    wide: float,
    high: float,
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Return a part of the portrait with `shape` (columns, rows), averaged if it shrinks."""
    x0, y0 = int(left), int(top)
    x1 = min(portrait.shape[1], int(np.ceil(left + wide)))
    y1 = min(portrait.shape[0], int(np.ceil(top + high)))
    part = portrait[y0:y1, x0:x1]
    whole = (x1 - x0, y1 - y0) == (wide, high) and left == x0 and top == y0
    if whole and shape == (x1 - x0, y1 - y0):
        return np.ascontiguousarray(part)
    if whole and shape[0] <= wide:
        return np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    # A cut that begins inside a pixel: averaged down by a whole number, then placed.
    sx, sy = wide / shape[0], high / shape[1]
    blur = max(0.0, sx - 1) * 0.5
    if blur > 0.2:
        part = cv2.GaussianBlur(part, (0, 0), blur)
    matrix = np.array([[sx, 0, left - x0 + 0.5 * sx - 0.5], [0, sy, top - y0 + 0.5 * sy - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(part, matrix, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
