"""From a portrait to a rig: which face, cut how, and is it good enough."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.face import matte
from realtime_avatar.face.calibration import calibrated
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.quality import Quality, judge
from realtime_avatar.face.rig import PhotoRig, make
from realtime_avatar.face.teeth import lent

MAX_HEIGHT = 1080
"""Of the pictures of a portrait shown in its own shape."""

_BESIDE = 0.45  # a face smaller than this share of the main one is background
_FRAMING = 0.245  # eye distance over the width of a head-and-shoulders picture
_EYE_LINE = 0.42  # how far down in it the eyes are
_FINEST = 1.6  # texels to a pixel
_MARGIN = 0.12  # around the frame, of its longer side


def enrol(
    landmarker: FaceLandmarker,
    portrait: NDArray[np.uint8],
    size: tuple[int, int] | None = None,
    others: Sequence[NDArray[np.uint8]] = (),
) -> tuple[PhotoRig, Quality]:
    """Make a portrait ready to move.

    Args:
        landmarker: Finds its face.
        portrait: RGB, (height, width, 3), upright.
        size: Width and height of the pictures, even: the head and shoulders are cut out.
            By default the whole portrait, at most `MAX_HEIGHT` high; of an odd number of
            rows or columns, the last is cut off, since video wants even ones.
        others: More portraits of the same person; one that smiles lends its teeth.

    Raises:
        InputError: if there is not just one face, or it is too small or turned too far.
    """
    face = only_face(landmarker.detect(portrait))
    face = landmarker.track(portrait, face)
    quality = judge(portrait, face)
    remarks = list(quality.remarks)
    teeth = None
    for other in others:
        if teeth is None:
            teeth = _teeth(landmarker, other)
    if others and teeth is None:
        remarks.append("no other portrait shows the upper teeth well; generic ones are used")
    (left, top, wide, high), (columns, rows) = place(portrait, face, size)
    fine = float(np.clip(wide / columns, 1.0, _FINEST))
    points = (face.points - np.array([left, top, 0], np.float32)) * np.float32(columns / wide)
    whole = (left, top, wide, high)
    rig = _cut_out(portrait, points, whole, (columns, rows), fine, teeth)
    if rig is None:
        shape = (round(columns * fine), round(rows * fine))
        rig = make(resample(portrait, *whole, shape), points, columns, rows, teeth=teeth)
        remarks.append(
            "the person cannot be told from the background, which therefore moves along;"
            " a plain one that differs from hair and clothes would help"
        )
    rig = replace(rig, opens=calibrated(rig, landmarker))
    return rig, replace(quality, remarks=tuple(remarks))


def _teeth(landmarker: FaceLandmarker, portrait: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    faces = landmarker.detect(portrait)
    if not faces:
        return None
    return lent(portrait, landmarker.track(portrait, faces[0]).points)


def _cut_out(
    portrait: NDArray[np.uint8],
    points: NDArray[np.float32],
    whole: tuple[float, float, float, float],
    size: tuple[int, int],
    fine: float,
    teeth: NDArray[np.uint8] | None,
) -> PhotoRig | None:
    """Return the rig of a person cut out of the background, or None if that fails.

    Hair that the head brings into the frame comes from a margin around it: the portrait's
    own where it goes on, else mirrored.
    """
    left, top, wide, high = whole
    columns, rows = size
    margin = round(_MARGIN * max(size))
    scale = wide / columns  # portrait's pixels to a pixel
    height, width = portrait.shape[:2]
    room = (left, top, width - left - wide, height - top - high)
    sides = [int(min(margin, max(0.0, beyond) / scale)) for beyond in room]
    before_x, before_y, after_x, after_y = sides
    part = (columns + before_x + after_x, rows + before_y + after_y)
    texture = resample(
        portrait, left - before_x * scale, top - before_y * scale,
        part[0] * scale, part[1] * scale, (round(part[0] * fine), round(part[1] * fine)),
    )  # fmt: skip
    offset = np.array([before_x, before_y, 0], np.float32)
    found = matte.find(texture, (points + offset) * np.float32(fine))
    if found is None:
        return None
    border = [round((margin - side) * fine) for side in (sides[1], sides[3], sides[0], sides[2])]
    eyes = float(np.linalg.norm(points[33] - points[263])) * fine
    top, bottom, left_side, right_side = border
    front = matte.extended(found.front, top, bottom, left_side, right_side, eyes)
    x, y = round(before_x * fine), round(before_y * fine)
    inner = found.plate[y : y + round(rows * fine), x : x + round(columns * fine)]
    plate = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)
    return make(
        front, points, columns, rows, margin=margin, plate=np.asarray(plate, np.uint8), teeth=teeth
    )  # fmt: skip


def place(
    portrait: NDArray[np.uint8], face: Landmarks, size: tuple[int, int] | None
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """Return which part of a portrait is shown, and as how many pixels.

    Returns:
        Left, top, width and height in the portrait; columns and rows, even.
    """
    height, width = portrait.shape[:2]
    if size is not None:
        return _frame(face, width, height, size[0] / size[1]), size
    scale = min(1.0, MAX_HEIGHT / height)
    columns, rows = (max(2, int(length * scale) // 2 * 2) for length in (width, height))
    # The odd row or column is cut off, not squeezed in.
    wide, high = (min(float(width), columns / scale), min(float(height), rows / scale))
    return (0, 0, wide, high), (columns, rows)


def only_face(faces: list[Landmarks]) -> Landmarks:
    """Return the one face of a portrait.

    Raises:
        InputError: if there is none, or a second one that is as near.
    """
    if not faces:
        raise InputError("there is no face in the portrait, or it is turned away from the camera")
    main = faces[0]
    count = sum(face.eye_distance > _BESIDE * main.eye_distance for face in faces)
    if count > 1:
        raise InputError(f"there are {count} faces in the portrait; it must show one person")
    return main


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


def resample(
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
