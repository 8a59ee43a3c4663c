import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import measured
from realtime_avatar.face import eyes, mesh, mouth, render
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.face.rig import PhotoRig, Renderer, make
from realtime_avatar.face.sheet import POSES, draw, weights_of
from realtime_avatar.media.motion import ARKIT, INDEX

Floats = NDArray[np.float32]
SIDE = 256
STILL = np.zeros(6, np.float32)


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    whole = read_portrait(default_portrait())
    small = cv2.resize(whole, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


@pytest.fixture(scope="module")
def points() -> Floats:
    return measured(SIDE)


@pytest.fixture(scope="module")
def rig(portrait: NDArray[np.uint8], points: Floats) -> PhotoRig:
    return make(portrait, points, SIDE, SIDE)


def frame(rig: PhotoRig, named: dict[str, float], pose: Floats = STILL) -> NDArray[np.int16]:
    return Renderer(rig).render(weights_of(named), pose).astype(np.int16)


def box(rig: PhotoRig, landmarks: list[int], grow: float = 0.0) -> tuple[slice, slice]:
    """The part of the picture that holds the landmarks."""
    low = rig.points[landmarks, :2].min(0) - grow * rig.mesh.eyes
    high = rig.points[landmarks, :2].max(0) + grow * rig.mesh.eyes
    return slice(int(low[1]), int(high[1]) + 1), slice(int(low[0]), int(high[0]) + 1)


FOREHEAD, LIPS = [103, 332, 9], [61, 291, 0, 17]
LEFT_IRIS = [468, 469, 470, 471, 472]


def test_rest_is_the_photograph(rig: PhotoRig, portrait: NDArray[np.uint8]):
    small = cv2.resize(portrait, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    off = np.abs(frame(rig, {}) - small)
    assert np.percentile(off, 99.9) <= 2


def test_the_jaw_opens_the_mouth_and_nothing_above_the_nose(rig: PhotoRig):
    rest, opened = frame(rig, {}), frame(rig, {"jawOpen": 0.4})
    assert np.abs(opened - rest)[box(rig, LIPS)].mean() > 20
    assert np.abs(opened - rest)[box(rig, FOREHEAD)].max() <= 2
    assert np.abs(opened - rest)[:4].max() == 0


def test_an_open_mouth_is_dark_inside(rig: PhotoRig):
    rest, opened = frame(rig, {}), frame(rig, {"jawOpen": 0.5})
    x, y = rig.points[[13, 14], :2].mean(0)
    y += 0.1 * rig.mesh.eyes
    assert opened[int(y), int(x)].sum() < 0.5 * rest[int(y), int(x)].sum()


def test_a_blink_covers_the_iris_with_skin(rig: PhotoRig):
    rest, shut = frame(rig, {}), frame(rig, {"eyeBlink": 1.0})
    iris = box(rig, LEFT_IRIS, -0.02)
    cheek = rest[box(rig, [50, 101, 205])].reshape(-1, 3).mean(0)
    assert rest[iris].mean() < 0.6 * cheek.mean()
    assert shut[iris].mean() > 0.55 * cheek.mean()
    assert shut[iris].max() < 1.3 * cheek.max()  # no white of the eye shines through


def test_one_eye_winks_alone(rig: PhotoRig):
    rest, wink = frame(rig, {}), frame(rig, {"eyeBlinkRight": 1.0})
    change = np.abs(wink - rest)
    assert change[:, : SIDE // 2].max() > 60  # the person's right eye is left in the picture
    assert change[:, SIDE // 2 :].max() == 0


def test_the_eyes_look_where_they_should(rig: PhotoRig):
    def centre(picture: NDArray[np.int16]) -> float:
        part = picture[box(rig, LEFT_IRIS, 0.06)].sum(2)
        dark = np.clip(part.mean() - part, 0, None).astype(float)
        return float((dark.sum(0) * np.arange(dark.shape[1])).sum() / dark.sum())

    rest = centre(frame(rig, {}))
    assert centre(frame(rig, {"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7})) > rest + 0.4
    assert centre(frame(rig, {"eyeLookOutRight": 0.7, "eyeLookInLeft": 0.7})) < rest - 0.4


@pytest.mark.parametrize(("name", "named", "pose"), POSES, ids=[name for name, _, _ in POSES])
def test_the_frame_keeps_still_in_every_pose(
    rig: PhotoRig, name: str, named: dict[str, float], pose: tuple[float, ...]
):
    moved = frame(rig, named, np.array(pose, np.float32))
    change = np.abs(moved - frame(rig, {})).max(2)
    edge = np.concatenate([change[0], change[-1], change[:, 0], change[:, -1]])
    assert edge.max() <= 2
    assert name == "rest" or change.max() > 20


@pytest.mark.parametrize("yaw", [-0.1745, 0.1745])
def test_a_turn_moves_the_nose_against_the_ears(rig: PhotoRig, yaw: float):
    renderer = Renderer(rig)
    before = renderer.place(np.zeros(52, np.float32), STILL)
    after = renderer.place(np.zeros(52, np.float32), np.array([yaw, 0, 0, 0, 0, 0], np.float32))
    moved = (after - before)[:, 0] / rig.mesh.eyes
    assert moved[1] * np.sign(yaw) > 0.1
    assert np.abs(moved[[234, 454]]).max() < 0.5 * abs(moved[1])


def test_up_is_up_and_right_is_right(rig: PhotoRig):
    renderer, quiet = Renderer(rig), np.zeros(52, np.float32)
    before = renderer.place(quiet, STILL)[1]
    aside = renderer.place(quiet, np.array([0, 0, 0, 0.1, 0.2, 0], np.float32))[1]
    assert aside == pytest.approx(before + np.array([0.1, -0.2]) * rig.mesh.eyes, abs=0.2)
    down = renderer.place(quiet, np.array([0, 0.1, 0, 0, 0, 0], np.float32))[1]
    assert down[1] > before[1] + 0.05 * rig.mesh.eyes
    tilted = renderer.place(quiet, np.array([0, 0, 0.1, 0, 0, 0], np.float32))[10]
    assert tilted[0] > renderer.place(quiet, STILL)[10][0] + 0.1 * rig.mesh.eyes


@pytest.mark.parametrize("unit", ARKIT)
def test_no_unit_folds_the_face(rig: PhotoRig, unit: str):
    at = Renderer(rig).place(weights_of({unit: 0.6}), STILL)
    rest = rig.mesh.rest[:, :2]

    def areas(where: Floats) -> NDArray[np.floating]:
        a, b, c = (where[rig.mesh.triangles[:, i]] for i in range(3))
        return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])

    was, now = areas(rest), areas(at)
    folded = (was > 0.5) & (now < -0.5)
    assert folded.sum() <= 3


@pytest.mark.parametrize("closed", ["mouthPress", "mouthRollLower", "mouthSmile", "mouthStretch"])
def test_lips_that_should_stay_closed_do(rig: PhotoRig, closed: str):
    at = Renderer(rig).place(weights_of({closed: 1.0}), STILL)
    assert gap(at) < 0.01 * rig.mesh.eyes


@pytest.mark.parametrize("jaw", [0.1, 0.3, 0.6])
def test_mouth_close_shuts_the_lips_over_an_open_jaw(rig: PhotoRig, jaw: float):
    renderer = Renderer(rig)
    shut = renderer.place(weights_of({"jawOpen": jaw, "mouthClose": jaw}), STILL)
    opened = renderer.place(weights_of({"jawOpen": jaw}), STILL)
    assert gap(shut) < 0.02 * rig.mesh.eyes
    assert gap(opened) > 0.3 * jaw * rig.mesh.eyes
    assert shut[152, 1] > rig.points[152, 1] + 0.1 * jaw * rig.mesh.eyes


def gap(at: Floats) -> float:
    return float((at[list(mesh.LOWER_LIP)] - at[list(mesh.UPPER_LIP)])[:, 1].max())


def test_lips_never_cross(rig: PhotoRig):
    at = Renderer(rig).place(weights_of({"mouthClose": 1.0, "mouthRollUpper": 1.0}), STILL)
    between = (at[list(mesh.LOWER_LIP)] - at[list(mesh.UPPER_LIP)])[:, 1]
    assert between.min() > -0.01 * rig.mesh.eyes


def test_left_and_right_mirror_each_other():
    moves = mesh.basis().moves
    right = moves[INDEX["mouthSmileRight"]][61], moves[INDEX["mouthSmileLeft"]][291]
    assert right[0] * (-1, 1, 1) == pytest.approx(right[1], abs=2e-3)


def test_parted_lips_are_closed_at_rest(portrait: NDArray[np.uint8], points: Floats):
    """A portrait that smiles with open lips speaks with closed ones."""
    opened = points.copy()
    eye = np.linalg.norm(points[33] - points[263])
    for upper, lower in zip(mesh.UPPER_LIP[1:-1], mesh.LOWER_LIP[1:-1], strict=True):
        opened[upper, 1] -= 0.04 * eye
        opened[lower, 1] += 0.04 * eye
    rig = make(portrait, opened, SIDE, SIDE)
    assert gap(Renderer(rig).place(np.zeros(52, np.float32), STILL)) < 0.01 * eye


def test_pictures_are_new_each_time(rig: PhotoRig):
    renderer, quiet = Renderer(rig), np.zeros(52, np.float32)
    first = renderer.render(quiet, STILL)
    kept = first.copy()
    renderer.render(weights_of({"jawOpen": 0.5}), STILL)
    assert np.array_equal(first, kept)
    assert np.array_equal(renderer.render(quiet, STILL), kept)


def test_what_would_be_seen_to_move_is_told(rig: PhotoRig):
    renderer, quiet = Renderer(rig), np.zeros(52, np.float32)
    assert renderer.displacement(quiet, STILL) == np.inf  # there is no picture yet
    renderer.render(quiet, STILL)
    assert renderer.displacement(quiet, STILL) == 0
    for named in ({"jawOpen": 0.5}, {"eyeBlinkLeft": 1.0}, {"eyeLookInLeft": 0.5}):
        assert renderer.displacement(weights_of(named), STILL) > 1
    assert renderer.displacement(quiet, STILL + np.float32(0.03)) > 1
    assert renderer.displacement(quiet, STILL) == 0  # nothing was painted


def test_sessions_do_not_disturb_each_other(rig: PhotoRig):
    first, second = Renderer(rig), Renderer(rig)
    quiet = np.zeros(52, np.float32)
    before = first.render(quiet, STILL)
    second.render(weights_of({"eyeBlink": 1.0, "jawOpen": 0.5}), STILL)
    assert np.array_equal(first.render(quiet, STILL), before)


def test_kernels_are_compiled_for_what_they_are_called_with(rig: PhotoRig):
    for module in (render, eyes, mouth):
        module.compile_kernels()
    kernels = (render.fill, render.flatten, eyes._paint, mouth._paint)
    before = [len(kernel.signatures) for kernel in kernels]
    frame(rig, {"eyeBlink": 0.5, "jawOpen": 0.3, "tongueOut": 0.2}, STILL + np.float32(0.01))
    assert [len(kernel.signatures) for kernel in kernels] == before
    assert before == [1, 1, 1, 1]


def test_the_sheet_shows_every_pose(rig: PhotoRig):
    sheet = draw(rig, columns=6, side=64)
    assert sheet.size == (6 * 64, 6 * 64)
    close = draw(rig, part="mouth", side=64)
    assert close.size[0] == 6 * 64
