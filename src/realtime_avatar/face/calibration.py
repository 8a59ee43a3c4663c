"""How far a portrait's jaw has to open to be seen as open as a score says.

The scores that motion is made of are a landmarker's, which hardly notices the first tenth
of an opening, and differs from one portrait to the next in when it begins to. So each
portrait is opened step by step and looked at by the same landmarker.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.rig import OPEN, SEEN, PhotoRig, Renderer
from realtime_avatar.media.motion import INDEX

_JAW: Final = INDEX["jawOpen"]
_STEPS: Final = np.array([0, 0.06, 0.1, 0.14, 0.17, 0.2, 0.23, 0.26, 0.3, 0.34, 0.4], np.float32)
_TURNS: Final = (-0.05, 0.0, 0.05)  # of the head, radians: one picture alone is a matter of luck
_SURE: Final = 0.3  # score up to which speech opens a jaw; beyond it portraits are alike
_LEAST, _MOST = 0.8, 1.4  # of the usual opening: hidden lips must not tear a mouth open


def calibrated(rig: PhotoRig, landmarker: FaceLandmarker) -> NDArray[np.float32]:
    """Return how far this portrait's mesh opens to be seen as `rig.SEEN`: see `PhotoRig.opens`.

    Where the landmarker sees too little or too much, as on a beard, the usual opening is
    kept within a fifth less and two fifths more.

    Args:
        rig: The portrait.
        landmarker: That measures faces.

    Returns:
        float32 in [0, 1], shape of `rig.SEEN`, increasing.
    """
    seen = _looked_at(rig, landmarker)
    if seen is None:
        return OPEN
    opens = np.interp(SEEN, seen + np.arange(len(seen)) * 1e-6, _STEPS)
    opens = np.clip(opens, OPEN * _LEAST, OPEN * _MOST)
    within = SEEN <= _SURE
    beyond = OPEN + (opens[within][-1] - OPEN[within][-1]) * (1 - OPEN) / (1 - OPEN[within][-1])
    opens = np.maximum.accumulate(np.where(within, opens, beyond))
    opens[0], opens[-1] = 0, 1
    return opens.astype(np.float32)


def _looked_at(rig: PhotoRig, landmarker: FaceLandmarker) -> NDArray[np.float64] | None:
    """Return the jaw's score at each of `_STEPS`, above that at rest, never falling.

    None where no face is found.
    """
    renderer, face = Renderer(rig), None
    scores = np.zeros(len(_STEPS))
    for index, step in enumerate(_STEPS):
        weights = np.zeros(len(INDEX), np.float32)
        weights[_JAW] = np.interp(step, rig.opens, SEEN)  # which the rig opens so far
        for turn in _TURNS:
            picture = renderer.render(weights, np.array([turn, turn, 0, 0, 0, 0], np.float32))
            face = _seen(picture, landmarker, face)
            if face is None:
                return None
            scores[index] += float(face.weights[_JAW]) / len(_TURNS)
    return np.maximum.accumulate(scores - scores[0])


def _seen(
    picture: NDArray[np.uint8], landmarker: FaceLandmarker, before: Landmarks | None
) -> Landmarks | None:
    if before is not None:
        return landmarker.track(picture, before)
    found = landmarker.detect(picture)
    return found[0] if found else None
