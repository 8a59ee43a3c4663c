from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from realtime_avatar.errors import InputError, ModelMissing
from realtime_avatar.face.enrol import enrol
from realtime_avatar.face.landmarks import FaceLandmarker
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.face.rig import OPEN, Renderer
from realtime_avatar.face.sheet import weights_of
from realtime_avatar.media.motion import INDEX
from realtime_avatar.models.store import ModelStore

pytestmark = pytest.mark.weights
FIXTURES = Path(__file__).parents[1] / "fixtures" / "portraits"
GREEN = (90, 120, 90)
Make = Callable[[Image.Image], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(ModelStore().path("face-landmarker") / "face_landmarker.task")


@pytest.fixture(scope="module")
def ava() -> Image.Image:
    return Image.fromarray(read_portrait(default_portrait()))


def pixels(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture, np.uint8)


def test_landmarks_agree_with_mediapipe(landmarker: FaceLandmarker, ava: Image.Image):
    """The reference was measured with mediapipe 1.2.2 on the same picture."""
    (face,) = landmarker.detect(pixels(ava))
    with np.load(FIXTURES / "ava_mediapipe.npz") as reference:
        off = np.linalg.norm(face.points[:, :2] - reference["points"][:, :2], axis=1)
        assert off.mean() < 0.01 * face.eye_distance
        assert off.max() < 0.03 * face.eye_distance
        depth = np.abs(face.points[:, 2] - reference["points"][:, 2])
        assert depth.mean() < 0.01 * face.eye_distance
        assert np.abs(face.weights[:51] - reference["weights"]).max() < 0.1
    assert face.weights.shape == (52,)
    assert face.score > 0.9


def test_tracking_stays_on_the_face(landmarker: FaceLandmarker, ava: Image.Image):
    (face,) = landmarker.detect(pixels(ava))
    again = landmarker.track(pixels(ava), face)
    off = np.linalg.norm(again.points[:, :2] - face.points[:, :2], axis=1)
    assert off.mean() < 0.02 * face.eye_distance


@pytest.mark.parametrize(("size", "side"), [((1600, 1600), 260), ((2400, 900), 300)])
def test_a_small_face_in_a_large_picture_is_found(
    landmarker: FaceLandmarker, ava: Image.Image, size: tuple[int, int], side: int
):
    scene = Image.new("RGB", size, GREEN)
    scene.paste(ava.resize((side, side)), (size[0] // 3, size[1] // 3))
    (face,) = landmarker.detect(pixels(scene))
    assert face.eye_distance == pytest.approx(0.248 * side, rel=0.1)


def test_a_file_that_is_no_bundle(tmp_path: Path):
    (tmp_path / "face_landmarker.task").write_bytes(b"nothing")
    with pytest.raises(ModelMissing, match="not a face landmarker"):
        FaceLandmarker(tmp_path / "face_landmarker.task")


def nobody(ava: Image.Image) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 255, (512, 512, 3), np.uint8)


def tiny(ava: Image.Image) -> NDArray[np.uint8]:
    return np.zeros((1, 1, 3), np.uint8)


def back(ava: Image.Image) -> NDArray[np.uint8]:
    return read_portrait(FIXTURES / "back.jpg")


def profile(ava: Image.Image) -> NDArray[np.uint8]:
    return read_portrait(FIXTURES / "profile.jpg")


def half_turned(ava: Image.Image) -> NDArray[np.uint8]:
    return read_portrait(FIXTURES / "three_quarter.jpg")


def three(ava: Image.Image) -> NDArray[np.uint8]:
    row = Image.new("RGB", (1200, 400))
    for index in range(3):
        row.paste(ava.resize((400, 400)), (400 * index, 0))
    return pixels(row)


def small(ava: Image.Image) -> NDArray[np.uint8]:
    scene = Image.new("RGB", (800, 800), GREEN)
    scene.paste(ava.resize((90, 90)), (300, 300))
    return pixels(scene)


def lying(ava: Image.Image) -> NDArray[np.uint8]:
    return pixels(ava.rotate(45))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nobody, "no face"),
        (tiny, "no face"),
        (back, "no face"),
        (profile, "turned away"),
        (half_turned, "turned about 4. degrees"),
        (three, "there are 3 faces"),
        (small, "only 4. pixels high"),
        (lying, "tilted too far"),
    ],
)
def test_portraits_that_cannot_speak(
    landmarker: FaceLandmarker, ava: Image.Image, make: Make, words: str
):
    with pytest.raises(InputError, match=words):
        enrol(landmarker, make(ava))


def test_somebody_far_behind_does_not_count(landmarker: FaceLandmarker, ava: Image.Image):
    scene = Image.new("RGB", (1600, 1024), GREEN)
    scene.paste(ava, (0, 0))
    scene.paste(ava.resize((300, 300)), (1200, 300))
    rig, _ = enrol(landmarker, pixels(scene))
    assert rig.points[1, 0] < 1024


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((384, 579), None, (384, 578)),
        ((601, 601), None, (600, 600)),
        ((1024, 1024), None, (1024, 1024)),
        ((2000, 2400), None, (900, 1080)),
        ((1024, 1024), (512, 512), (512, 512)),
        ((1024, 1024), (360, 640), (360, 640)),
        ((1024, 1024), (640, 360), (640, 360)),
    ],
)
def test_the_pictures_size(
    landmarker: FaceLandmarker,
    ava: Image.Image,
    shape: tuple[int, int],
    size: tuple[int, int] | None,
    expected: tuple[int, int],
):
    wide, high = shape
    side = max(shape)
    left = (side - wide) // 2
    portrait = ava.resize((side, side)).crop((left, 0, left + wide, high))
    rig, _ = enrol(landmarker, pixels(portrait), size)
    assert (rig.width, rig.height) == expected
    across, down = rig.scale.tolist()
    assert 1 <= across <= 2.01
    assert down == pytest.approx(across, rel=0.01)


def test_landmarks_lie_where_the_face_is_in_the_cut(landmarker: FaceLandmarker, ava: Image.Image):
    scene = Image.new("RGB", (1500, 1300), GREEN)
    scene.paste(ava.resize((700, 700)), (500, 400))
    rig, _ = enrol(landmarker, pixels(scene), (512, 512))
    rest = Renderer(rig).render(np.zeros(52, np.float32), np.zeros(6, np.float32))
    seen = landmarker.detect(rest)[0]
    off = np.linalg.norm(seen.points[:, :2] - rig.points[:, :2], axis=1)
    assert off.mean() < 0.02 * seen.eye_distance


def test_remarks(landmarker: FaceLandmarker, ava: Image.Image):
    _, good = enrol(landmarker, pixels(ava))
    assert good.remarks == ()
    assert good.face_height == pytest.approx(487, abs=10)
    assert max(abs(good.yaw), abs(good.pitch), abs(good.roll)) < 8
    _, dark = enrol(landmarker, (pixels(ava) // 6).astype(np.uint8))
    assert any("dark" in remark for remark in dark.remarks)
    _, coarse = enrol(landmarker, pixels(ava.resize((260, 260)).resize((1024, 1024))))
    assert any("blurred" in remark for remark in coarse.remarks)


@pytest.mark.parametrize("name", ["ava", "zoe", "leo"])
def test_what_is_shown_is_seen_again(landmarker: FaceLandmarker, name: str):
    """The landmarker that measures people measures the same on the avatar."""
    portrait = read_portrait(default_portrait().with_name(f"{name}.jpg"))
    rig, _ = enrol(landmarker, portrait, (512, 512))
    renderer, still = Renderer(rig), np.zeros(6, np.float32)

    def seen(named: dict[str, float]) -> NDArray[np.float32]:
        (face,) = landmarker.detect(renderer.render(weights_of(named), still))
        return face.weights

    rest = seen({})
    jaw = INDEX["jawOpen"]
    opened = [seen({"jawOpen": value})[jaw] for value in (0.15, 0.3, 0.5)]
    assert rest[jaw] < 0.05
    assert rest[jaw] < opened[0] < opened[1] < opened[2]
    assert opened[2] == pytest.approx(0.5, abs=0.3)
    blinks = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
    assert seen({"eyeBlink": 1.0})[blinks].min() > rest[blinks].max() + 0.2
    pucker = INDEX["mouthPucker"]
    assert seen({"mouthPucker": 0.8})[pucker] > rest[pucker] + 0.2
    smiles = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
    assert seen({"mouthSmile": 0.8})[smiles].min() > rest[smiles].max() + 0.2


@pytest.mark.parametrize("name", ["ava", "leo", "zoe"])
def test_a_jaw_is_seen_about_as_open_as_its_score(landmarker: FaceLandmarker, name: str):
    portrait = read_portrait(default_portrait().with_stem(name))
    rig, _ = enrol(landmarker, portrait, (512, 512))
    assert (np.diff(rig.opens) >= 0).all()
    scores = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3], np.float32)
    renderer, seen = Renderer(rig), list[float]()
    for score in scores.tolist():
        picture = renderer.render(weights_of({"jawOpen": score}), np.zeros(6, np.float32))
        (face,) = landmarker.detect(picture)
        seen.append(float(face.weights[INDEX["jawOpen"]]))
    assert float(np.abs(np.array(seen) - scores).mean()) < 0.06
    slack = np.clip(rig.opens, 0.8 * OPEN - 1e-4, 1.4 * OPEN + 1e-4)
    np.testing.assert_array_equal(rig.opens[:-1], slack[:-1])
