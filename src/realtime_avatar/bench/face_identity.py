"""Is it still the same person: the distance of face embeddings, if dlib is installed.

The embedding is dlib's ResNet (King, 2017; weights CC0): the same person lies within about
0.36, different people farther than 0.41 apart.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.landmarks import Landmarks

WANTED: Final = "pip install 'realtime-avatar[eval]'"
"""What to install where `Identity.available` is false."""

_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
# Outer and inner corner of the person's left eye, then of the right, then below the nose.
_FIVE: Final = (263, 362, 33, 133, 2)


class Identity:
    """Embeds faces."""

    def __init__(self) -> None:
        import dlib  # pyright: ignore[reportMissingImports]

        self._dlib: Any = dlib
        self._net: Any = self._dlib.face_recognition_model_v1(str(_weights()))

    @staticmethod
    def available() -> bool:
        """Return whether the packages are there."""
        return find_spec("dlib") is not None and _weights() is not None

    def embed(self, picture: NDArray[np.uint8], face: Landmarks) -> NDArray[np.float64]:
        """Return the embedding of a face, (128,)."""
        points = [
            self._dlib.point(round(float(x)), round(float(y)))
            for x, y in face.points[list(_FIVE), :2]
        ]
        left, top, right, bottom = (round(value) for value in face.box)
        box = self._dlib.rectangle(left, top, right, bottom)
        shape = self._dlib.full_object_detection(box, points)
        return np.array(self._net.compute_face_descriptor(np.ascontiguousarray(picture), shape))

    def distances(
        self,
        portrait: tuple[NDArray[np.uint8], Landmarks],
        frames: Sequence[tuple[NDArray[np.uint8], Landmarks]],
    ) -> NDArray[np.float64]:
        """Return how far each frame is from the portrait, (frames,)."""
        own = self.embed(*portrait)
        return np.array([float(np.linalg.norm(self.embed(*f) - own)) for f in frames])


def _weights() -> Path | None:
    spec = find_spec("face_recognition_models")  # found, never imported: it wants pkg_resources
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "models" / _WEIGHTS).is_file():
            return path
    return None
