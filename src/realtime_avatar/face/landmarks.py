"""Finds faces and their 478 landmarks with MediaPipe's FaceLandmarker models.

The `.task` bundle is a zip of three TFLite models; what MediaPipe's graphs do between
them (anchors, suppression, the rotated crop) is written out here, so that neither
MediaPipe nor its second OpenCV has to be installed.

Sources: Bazarevsky et al., "BlazeFace", 2019 (detector); Kartynnik et al., "Real-time
Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019 (mesh); the layout of
anchors and crops follows MediaPipe's published graph options.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import without_stderr
from realtime_avatar.errors import ModelMissing

OUTER_EYES: Final = (33, 263)
"""The outer eye corners, left in the picture first. Their distance is the unit of size."""

_INPUT = 128  # side of the detector's input, pixels
_MIN_SCORE, _SURE, _MIN_OVERLAP, _MIN_PRESENCE = 0.5, 0.8, 0.3, 0.5
_CROP = 1.5  # side of the landmark crop over the longer side of the face box
_MESH_INPUT = 256
# The landmarks that the blend shape model wants, from MediaPipe's face_blendshapes_graph.
_BLENDSHAPE_POINTS: Final = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168,
    172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276,
    282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380,
    381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466,
    468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One face in a picture.

    Attributes:
        points: float32, shape (478, 3): x right and y down in pixels of the picture, z
            away from the viewer on the same scale, about 0 at the head's centre.
        weights: float32, shape (52,): blend shape scores in [0, 1], in `ARKIT`'s order.
        score: How sure the model is that this is a face, in [0, 1].
    """

    points: NDArray[np.float32]
    weights: NDArray[np.float32]
    score: float

    @property
    def eye_distance(self) -> float:
        """Between the outer eye corners, pixels; larger than seen if the head is turned."""
        left, right = self.points[list(OUTER_EYES)]
        return float(np.linalg.norm(left - right))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the landmarks, pixels."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class _Crop:
    """A rotated square of a picture: centre and side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float

    def to_picture(self, size: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix from a `size` x `size` input's pixels to the picture's."""
        scale = self.side / size
        c, s = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        half = size / 2
        return np.array(
            [[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]]
        )


class FaceLandmarker:
    """Finds the faces of a picture and measures each.

    Safe to use from several threads, one at a time.

    Args:
        task: The bundle `face_landmarker.task`.

    Raises:
        ModelMissing: if it is not such a bundle.
    """

    def __init__(self, task: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with zipfile.ZipFile(task) as bundle:
                models = [
                    bundle.read(f"{name}.tflite")
                    for name in ("face_detector", "face_landmarks_detector", "face_blendshapes")
                ]
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelMissing(f"{task} is not a face landmarker bundle: {error}") from error
        with without_stderr():  # each interpreter announces itself there
            self._detector, self._mesh, self._blendshapes = (
                _Model(Interpreter(model_content=model, num_threads=1)) for model in models
            )
        self._anchors = _anchors()
        self._lock = Lock()

    def detect(self, picture: NDArray[np.uint8]) -> list[Landmarks]:
        """Return all faces, the largest first.

        Args:
            picture: RGB, shape (height, width, 3).
        """
        with self._lock:
            found = [self._measure(picture, crop) for crop in self._find(picture)]
        faces = [face for face in found if face.score >= _MIN_PRESENCE]
        return sorted(faces, key=lambda face: -face.eye_distance)

    def track(self, picture: NDArray[np.uint8], before: Landmarks) -> Landmarks:
        """Return the face that was at `before` in the previous picture of a film."""
        left, top, right, bottom = before.box
        (x0, y0), (x1, y1) = before.points[list(OUTER_EYES), :2]
        crop = _Crop(
            (left + right) / 2,
            (top + bottom) / 2,
            _CROP * max(right - left, bottom - top),
            float(np.arctan2(y1 - y0, x1 - x0)),
        )
        with self._lock:
            return self._measure(picture, crop)

    def _find(self, picture: NDArray[np.uint8]) -> list[_Crop]:
        """Return the crops of all faces: the whole picture at once, then its parts.

        The detector sees 128 pixels: a face less than about a tenth of the picture is
        found only in a part of it.
        """
        height, width = picture.shape[:2]
        found: list[NDArray[np.float32]] = []
        for share in (1.0, 0.5, 0.25, 0.125):
            if share == 0.125 and found:
                break  # the smallest are looked for only to be able to say that they are small
            side = max(height, width) * share
            boxes = [
                self._boxes(picture, left, top, side)
                for top in _starts(height, side)
                for left in _starts(width, side)
            ]
            for box in _suppress(np.concatenate(boxes)):
                known = [old for old in found if _overlap(box, old[None])[0] > _MIN_OVERLAP]
                # The first look is the best unless it was a doubtful one.
                if all(old[-1] < _SURE and old[-1] < box[-1] for old in known):
                    found = [old for old in found if not any(old is other for other in known)]
                    found.append(box)
        crops: list[_Crop] = []
        for box in found:
            x0, y0, x1, y1 = box[:4]
            right_eye, left_eye = box[4:6], box[6:8]
            angle = np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])
            side = _CROP * max(x1 - x0, y1 - y0)
            crops.append(_Crop((x0 + x1) / 2, (y0 + y1) / 2, float(side), float(angle)))
        return crops

    def _boxes(
        self, picture: NDArray[np.uint8], left: float, top: float, side: float
    ) -> NDArray[np.float32]:
        """Return rows of x0 y0 x1 y1, six key points, score, in pixels of the picture."""
        crop = _Crop(left + side / 2, top + side / 2, side, 0.0)
        pixels = _cut(picture, crop, _INPUT, cv2.BORDER_CONSTANT).astype(np.float32) / 127.5 - 1
        regressors, classifiers = self._detector(pixels[None])
        scores = 1 / (1 + np.exp(-np.clip(classifiers[0, :, 0], -50, 50)))
        sure = scores >= _MIN_SCORE
        raw, anchors = regressors[0, sure] / _INPUT, self._anchors[sure]
        centre, half = raw[:, :2] + anchors, raw[:, 2:4] / 2
        points = raw[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
        flat = np.concatenate(
            [centre - half, centre + half, points.reshape(-1, 12)], axis=1
        ) * np.float32(side) + np.tile(np.array([left, top], np.float32), 8)
        return np.column_stack([flat, scores[sure]]).astype(np.float32)

    def _measure(self, picture: NDArray[np.uint8], crop: _Crop) -> Landmarks:
        pixels = _cut(picture, crop, _MESH_INPUT, cv2.BORDER_REPLICATE).astype(np.float32) / 255
        raw, presence, tongue = self._mesh(pixels[None])
        raw = raw.reshape(478, 3)
        matrix = crop.to_picture(_MESH_INPUT)
        points = np.empty((478, 3), np.float32)
        points[:, :2] = raw[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] = raw[:, 2] * (crop.side / _MESH_INPUT)
        (scores,) = self._blendshapes(points[None, _BLENDSHAPE_POINTS, :2])
        weights = np.append(scores[1:], tongue.ravel()[0]).astype(np.float32)
        return Landmarks(points, weights.clip(0, 1), _sigmoid(presence))


class _Model:
    """A TFLite model as a function of one input, its outputs in the order of the file."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in interpreter.get_output_details()]

    def __call__(self, data: NDArray[Any]) -> list[NDArray[np.float32]]:
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(data, np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]


def _sigmoid(logit: NDArray[np.float32]) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit.ravel()[0], -50, 50))))


def _anchors() -> NDArray[np.float32]:
    """Return the 896 anchor centres in [0, 1]: 2 on each of 16x16 cells, 6 on each of 8x8."""
    rows: list[NDArray[np.float32]] = []
    for cells, times in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells].astype(np.float32)
        centres = np.stack([x.ravel(), y.ravel()], 1)
        rows.append(np.repeat((centres + 0.5) / cells, times, axis=0).astype(np.float32))
    return np.concatenate(rows).astype(np.float32)


def _starts(length: int, side: float) -> list[float]:
    """Return where squares of `side` start so that they cover `length`, half overlapping."""
    if side >= length:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [float(start) for start in np.linspace(0, length - side, count)]


def _cut(picture: NDArray[np.uint8], crop: _Crop, size: int, border: int) -> NDArray[np.uint8]:
    """Return a crop, scaled to `size` x `size`; a large one is first averaged down."""
    matrix = crop.to_picture(size)
    # MediaPipe takes pixel i of the crop at the picture's pixel M i, corner on corner; its
    # models were trained so, and half a pixel of the crop is half a percent of the eyes.
    matrix[:, 2] += 0.5
    shrink = int(crop.side // size)
    if shrink >= 2:
        height, width = picture.shape[:2]
        reach = crop.side * 0.75  # covers the square however it is rotated
        x0, y0 = max(0, int(crop.x - reach)), max(0, int(crop.y - reach))
        x1, y1 = min(width, int(crop.x + reach) + 1), min(height, int(crop.y + reach) + 1)
        wide, high = max(1, (x1 - x0) // shrink), max(1, (y1 - y0) // shrink)
        if x1 > x0 and y1 > y0:
            part = picture[y0:y1, x0:x1]
            small = cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA)
            picture = np.asarray(small, np.uint8)
            scale = np.array([[wide / (x1 - x0)], [high / (y1 - y0)]])
            matrix[:, 2] -= (x0, y0)
            matrix = matrix * scale
    matrix[:, 2] -= 0.5  # OpenCV counts pixel centres
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=border)
    return np.asarray(cut, np.uint8)


def _suppress(boxes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Merge boxes that overlap: the mean of each group, weighted by score."""
    boxes = boxes[np.argsort(-boxes[:, -1])]
    merged: list[NDArray[np.float32]] = []
    while len(boxes):
        same = _overlap(boxes[0], boxes) > _MIN_OVERLAP
        group = boxes[same]
        merged.append(np.average(group, axis=0, weights=group[:, -1]).astype(np.float32))
        boxes = boxes[~same]
    return merged


def _overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the shared area over the smaller box's area, or 1 for the box itself."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:4], boxes[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    own = float(np.prod(box[2:4] - box[:2]))
    return shared / np.maximum(np.minimum(area, own), 1e-9)
