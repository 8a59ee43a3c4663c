from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.face.calibration import calibrated
from realtime_avatar.face.landmarks import FaceLandmarker, Landmarks
from realtime_avatar.face.rig import OPEN, SEEN, PhotoRig
from realtime_avatar.media.motion import INDEX

from .test_face_render import points, portrait, rig

__all__ = ["points", "portrait", "rig"]

DARK = 70  # brightness below which a pixel between the lips is the mouth's inside


class Looking(FaceLandmarker):
    """Tells how open a mouth is by how much of the picture is dark; `sees` makes a score of it."""

    def __init__(self, sees: NDArray[np.float64], *, face: bool = True) -> None:
        self._sees, self._face = sees, face
        self._dark: int | None = None

    def detect(self, picture: NDArray[np.uint8]) -> list[Landmarks]:
        return [self._measure_mouth(picture)] if self._face else []

    def track(self, picture: NDArray[np.uint8], before: Landmarks) -> Landmarks:
        return self._measure_mouth(picture)

    def _measure_mouth(self, picture: NDArray[np.uint8]) -> Landmarks:
        middle = picture[140:200, 100:160].max(2)
        dark = int((middle < DARK).sum())
        if self._dark is None:
            self._dark = dark
        weights = np.zeros(52, np.float32)
        share = (dark - self._dark) / 200
        weights[INDEX["jawOpen"]] = np.interp(share, np.linspace(0, 1, len(self._sees)), self._sees)
        return Landmarks(np.zeros((478, 3), np.float32), weights, 1.0)


def test_a_jaw_that_is_seen_late_opens_further(rig: PhotoRig):
    early = calibrated(rig, Looking(np.array([0, 0.4, 0.8])))
    late = calibrated(rig, Looking(np.array([0, 0.0, 0.4])))
    speech = (SEEN >= 0.05) & (SEEN <= 0.3)
    assert (late[speech] > early[speech]).all()
    assert (np.diff(late) >= 0).all()
    assert (late[0], late[-1]) == (0, 1)


@pytest.mark.parametrize(("sees", "limit"), [([0.0, 0.0], 1.4), ([0.0, 5.0], 0.8)])
def test_a_mouth_that_is_hardly_or_all_too_well_seen_keeps_near_the_usual(
    rig: PhotoRig, sees: list[float], limit: float
):
    opens = calibrated(rig, Looking(np.array(sees)))
    near = (SEEN > 0) & (SEEN <= 0.25)
    np.testing.assert_allclose(opens[near], OPEN[near] * limit, rtol=1e-5)
    assert (np.diff(opens) >= 0).all()


def test_it_does_not_matter_how_the_rig_opened_before(rig: PhotoRig):
    sees = np.array([0, 0.2, 0.5])
    again = calibrated(replace(rig, opens=np.sqrt(OPEN)), Looking(sees))
    np.testing.assert_allclose(again, calibrated(rig, Looking(sees)), atol=0.03)


def test_where_no_face_is_found_the_jaw_opens_as_usual(rig: PhotoRig):
    np.testing.assert_array_equal(calibrated(rig, Looking(np.zeros(2), face=False)), OPEN)
