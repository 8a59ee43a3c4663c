"""Where the face is in the picture of a live benchmark."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.live_recording import Box
from realtime_avatar.config import load_settings
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.models.store import ModelStore

_MARGIN: Final = 1.4  # side of the square that is kept, over the longer side of the face


def landmarker() -> FaceLandmarker:
    """Return the landmarker that portraits are enrolled with.

    Raises:
        ModelMissing: if its model is not here.
    """
    settings = load_settings()
    store = ModelStore(settings.models, offline=settings.offline)
    return FaceLandmarker(store.path("face-landmarker") / "face_landmarker.task")


def find_face(picture: NDArray[np.uint8]) -> Box | None:
    """Return a square around the largest face, with room to move; None if there is none.

    Args:
        picture: RGB.

    Raises:
        ModelMissing: see `landmarker`.
    """
    faces = landmarker().detect(picture)
    if not faces:
        return None
    left, top, right, bottom = faces[0].box
    height, width = picture.shape[:2]
    side = min(int(_MARGIN * max(right - left, bottom - top)), width, height)
    x = np.clip((left + right - side) / 2, 0, width - side)
    y = np.clip((top + bottom - side) / 2, 0, height - side)
    return Box(int(x), int(y), side)
