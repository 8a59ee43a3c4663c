"""Several portraits of one person, and what is said of a portrait."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.face.mouth import EDGE_ROW, UPPER_ROWS, generic_teeth
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.face.quality import judge
from realtime_avatar.face.teeth import lent
from realtime_avatar.models.store import ModelStore

pytestmark = pytest.mark.weights
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(ModelStore().path("face-landmarker") / "face_landmarker.task")


@pytest.fixture(scope="module")
def ava() -> Picture:
    return read_portrait(default_portrait())


@pytest.fixture(scope="module")
def people() -> Path:
    try:
        return ModelStore().path("openpeople")
    except ModelMissing as error:
        pytest.skip(str(error))


def happy(sheet: Picture) -> Picture:
    """The second picture of the first row of an expression sheet."""
    rows, columns = sheet.shape[:2]
    part = sheet[int(0.06 * rows) : int(0.255 * rows), int(0.27 * columns) : int(0.49 * columns)]
    return np.ascontiguousarray(part)


@pytest.mark.parametrize("name", ["P001", "P006", "P009"])
def test_a_smile_lends_its_teeth(landmarker: FaceLandmarker, people: Path, name: str):
    smile = happy(read_portrait(people / f"{name}_emotions_sheet.jpg"))
    portrait = read_portrait(people / f"{name}_studio_portrait.jpg")
    rig, quality = enrol(landmarker, portrait, (256, 256), [smile])
    assert rig.teeth is not None
    assert not any("teeth" in remark for remark in quality.remarks)
    generic = generic_teeth()
    assert rig.teeth.shape == generic.shape
    assert np.array_equal(rig.teeth[UPPER_ROWS:], generic[UPPER_ROWS:])
    middle = rig.teeth[:UPPER_ROWS, 150:170, 3]
    edge = (middle > 127).sum(0)
    assert edge == pytest.approx(np.full(20, EDGE_ROW), abs=12)
    teeth = rig.teeth[EDGE_ROW - 25 : EDGE_ROW - 8, 120:200, :3].reshape(-1, 3).mean(0)
    assert teeth.min() > 110
    assert teeth.max() - teeth.min() < 60


def test_closed_lips_lend_none(landmarker: FaceLandmarker, ava: Picture):
    (face,) = landmarker.detect(ava)
    assert lent(ava, face.points) is None
    rig, quality = enrol(landmarker, ava, (256, 256), [ava])
    assert rig.teeth is None
    assert any("generic" in remark for remark in quality.remarks)


def test_somebody_else_is_not_asked(landmarker: FaceLandmarker, ava: Picture):
    nobody = np.full((300, 300, 3), 90, np.uint8)
    rig, _ = enrol(landmarker, ava, (256, 256), [nobody])
    assert rig.teeth is None


def test_glasses_are_noticed(landmarker: FaceLandmarker, ava: Picture):
    (face,) = landmarker.detect(ava)
    assert not judge(ava, face).glasses
    worn = ava.copy()
    for ids in ((33, 133), (362, 263)):
        x, y = face.points[list(ids), :2].mean(0).astype(int).tolist()
        cv2.circle(worn, (x, y), round(0.33 * face.eye_distance), (25, 20, 20), 9)
    left, right = (face.points[k, :2].astype(int) for k in (133, 362))
    cv2.line(worn, tuple(left.tolist()), tuple(right.tolist()), (25, 20, 20), 9)
    quality = judge(worn, face)
    assert quality.glasses
    assert any("glasses" in remark for remark in quality.remarks)


def test_beards_are_noticed(landmarker: FaceLandmarker, people: Path):
    for name, bearded in (("P005", True), ("P002", False), ("P008", False)):
        portrait = read_portrait(people / f"{name}_studio_portrait.jpg")
        face = landmarker.detect(portrait)[0]
        assert judge(portrait, face).beard is bearded, name


def test_light_from_one_side(landmarker: FaceLandmarker, ava: Picture):
    (face,) = landmarker.detect(ava)
    lit = ava.copy()
    lit[:, : round(float(face.points[1, 0]))] //= 3
    assert any("one side" in remark for remark in judge(lit, face).remarks)
