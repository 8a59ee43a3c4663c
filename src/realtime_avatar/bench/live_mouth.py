"""The mouth, measured in small pictures of a face after everything is over."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.face_seen import lip_gap
from realtime_avatar.bench.live_recording import decode_face
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks

_SURE = 0.5


def openings(finder: FaceLandmarker, faces: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the height of the opening between the lips in each picture of one film.

    Args:
        finder: Looks at them.
        faces: JPEGs, in order.

    Returns:
        float32, shape (pictures,), in distances between the eyes; NaN without a face.
    """
    gaps: list[float] = []
    face: Landmarks | None = None
    for jpeg in faces:
        picture = decode_face(jpeg)
        face = finder.track(picture, face) if face else None
        if face is None or face.score < _SURE:
            found = finder.detect(picture)
            face = found[0] if found else None
        gaps.append(lip_gap(face.points) if face else np.nan)
    return np.array(gaps, np.float32)
