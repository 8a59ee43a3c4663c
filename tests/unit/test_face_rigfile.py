import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import measured
from realtime_avatar.errors import InputError
from realtime_avatar.face.mouth import generic_teeth
from realtime_avatar.face.rig import OPEN, PhotoRig, Renderer, make
from realtime_avatar.face.rigfile import load_rig, save_rig
from realtime_avatar.face.sheet import weights_of

from .test_face_matte import points, portrait

__all__ = ["points", "portrait"]

Floats = NDArray[np.float32]
SIDE, MARGIN = 320, 16
STILL = np.zeros(6, np.float32)


@pytest.fixture(scope="module")
def rig(portrait: NDArray[np.uint8], points: Floats) -> PhotoRig:
    """Cut out: everything but the upper corners."""
    alpha = np.full((SIDE, SIDE, 1), 255, np.uint8)
    alpha[:60, :60] = alpha[:60, -60:] = 0
    front = np.concatenate([np.minimum(portrait, alpha), alpha], 2)
    texture = np.pad(front, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="reflect")
    plate = np.full((SIDE, SIDE, 3), (10, 60, 120), np.uint8)
    return make(
        np.asarray(texture, np.uint8), points, SIDE, SIDE,
        margin=MARGIN, plate=plate, teeth=generic_teeth()[:, ::-1].copy(),
    )  # fmt: skip


def test_what_is_loaded_shows_what_was_saved(rig: PhotoRig, tmp_path: Path):
    save_rig(rig, tmp_path / "ava.rig")
    again = load_rig(tmp_path / "ava.rig")
    assert (again.width, again.height, again.margin) == (SIDE, SIDE, MARGIN)
    assert again.teeth is not None
    weights = weights_of({"jawOpen": 0.4, "eyeBlink": 0.5})
    pose = np.array([0.1, 0, 0.05, 0, 0, 0], np.float32)
    assert np.array_equal(
        Renderer(again).render(weights, pose), Renderer(rig).render(weights, pose)
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "ava.rig"]


def test_a_portrait_that_was_not_cut_out(
    portrait: NDArray[np.uint8], points: Floats, tmp_path: Path
):
    save_rig(make(portrait, points, SIDE, SIDE), tmp_path / "plain.rig")
    again = load_rig(tmp_path / "plain.rig")
    assert again.plate is None
    with pytest.raises(ValueError, match="not been cut out"):
        Renderer(again, np.zeros((SIDE, SIDE, 3), np.uint8))


def changed(path: Path, **about: object) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["rig.json"] = json.dumps(json.loads(parts["rig.json"]) | about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def test_how_far_the_jaw_opens_is_kept_and_an_older_file_has_the_usual(
    rig: PhotoRig, tmp_path: Path
):
    path = tmp_path / "wide.rig"
    opens = np.minimum(OPEN * 1.25, 1).astype(np.float32)
    save_rig(replace(rig, opens=opens), path)
    np.testing.assert_allclose(load_rig(path).opens, opens, atol=1e-5)
    changed(path, opens=None)
    np.testing.assert_array_equal(load_rig(path).opens, OPEN)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"version": 2}, "has format 2, and this version of the product reads format 1"),
        ({"format": "something"}, "is not an avatar"),
        ({"width": "wide"}, "damaged"),
        ({"width": 77}, "damaged"),
        ({"opens": [0, 1]}, "damaged"),
        ({"opens": [0.5, 0.1, *OPEN[2:].tolist()]}, "damaged"),
        ({"opens": [float("nan"), *OPEN[1:].tolist()]}, "damaged"),
    ],
)
def test_files_that_cannot_be_shown(
    rig: PhotoRig, tmp_path: Path, about: dict[str, object], words: str
):
    save_rig(rig, tmp_path / "a.rig")
    changed(tmp_path / "a.rig", **about)
    with pytest.raises(InputError, match=words):
        load_rig(tmp_path / "a.rig")


def test_files_that_are_none(tmp_path: Path):
    with pytest.raises(InputError, match="there is no file"):
        load_rig(tmp_path / "a.rig")
    (tmp_path / "b.rig").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged, or not an avatar"):
        load_rig(tmp_path / "b.rig")
    with pytest.raises(InputError, match="cannot write"):
        save_rig(load_nothing(), tmp_path / "none" / "c.rig")


def load_nothing() -> PhotoRig:
    return make(np.full((64, 64, 3), 90, np.uint8), measured(64), 64, 64)


def test_another_background_is_seen_behind(rig: PhotoRig):
    teal = np.full((SIDE, SIDE, 3), (0, 128, 128), np.uint8)
    quiet = weights_of({})
    own, other = (Renderer(rig, behind).render(quiet, STILL) for behind in (None, teal))
    assert own[5, 5].tolist() == [10, 60, 120]
    assert other[5, 5].tolist() == [0, 128, 128]
    middle = np.s_[SIDE // 2, SIDE // 2]
    assert np.array_equal(own[middle], other[middle])
    with pytest.raises(ValueError, match="must be 320x320"):
        Renderer(rig, teal[:100])


def test_the_person_alone_is_transparent_around(rig: PhotoRig):
    alone = Renderer(rig).cut_out(weights_of({}), STILL)
    assert alone.shape == (SIDE, SIDE, 4)
    assert alone[5, 5].tolist() == [0, 0, 0, 0]
    assert alone[SIDE // 2, SIDE // 2, 3] == 255


def test_the_head_rolls_as_a_whole_and_the_shoulders_stay(rig: PhotoRig):
    renderer, quiet = Renderer(rig), weights_of({})
    before = renderer.place(quiet, STILL)
    after = renderer.place(quiet, np.array([0, 0, 0.1745, 0, 0, 0], np.float32))
    rest, eyes = rig.mesh.rest[:, :2], rig.mesh.eyes
    centre = rig.points[[33, 263], :2].mean(0)
    above = np.flatnonzero(rest[:, 1] < centre[1])

    def lengths(at: Floats) -> NDArray[np.floating]:
        near = above[:: max(1, len(above) // 60)]
        return np.linalg.norm(at[near][:, None] - at[near][None], axis=2)

    off = np.abs(lengths(after) - lengths(before))
    assert np.percentile(off, 99) < 0.1 * eyes  # nothing shears, but for perspective
    shoulders = rest[:, 1] > centre[1] + 2.4 * eyes
    assert shoulders.any()
    assert np.abs(after - before)[shoulders].max() < 1e-3
