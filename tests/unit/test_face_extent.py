"""What is not painted of a cut-out person is what nobody would see."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import measured
from realtime_avatar.face import render
from realtime_avatar.face.extent import BAND, Extent
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.face.rig import PhotoRig, Renderer, make
from realtime_avatar.face.sheet import weights_of

SIDE, MARGIN = 256, 16
WIDE = 2 * (SIDE + 2 * MARGIN)  # of the texture, which is twice as fine


def silhouette() -> NDArray[np.uint8]:
    """A head above shoulders."""
    alpha = np.zeros((WIDE, WIDE), np.uint8)
    half = WIDE // 2
    cv2.ellipse(alpha, (half, 220), (140, 190), 0, 0, 360, 255, -1)
    cv2.ellipse(alpha, (half, WIDE), (280, 160), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(alpha, (9, 9), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def rig() -> PhotoRig:
    whole = cv2.resize(read_portrait(default_portrait()), (2 * SIDE, 2 * SIDE))
    border = ((2 * MARGIN, 2 * MARGIN), (2 * MARGIN, 2 * MARGIN), (0, 0))
    padded = np.pad(whole, border, mode="symmetric")
    alpha = silhouette()
    colours = padded * (alpha[..., None] / 255)
    texture = np.dstack([np.rint(colours).astype(np.uint8), alpha])
    plate = np.full((SIDE, SIDE, 3), 90, np.uint8)
    return make(texture, measured(SIDE), SIDE, SIDE, margin=MARGIN, plate=plate)


@pytest.mark.parametrize("shift", [(0, 0), (9, -5), (-12, 20), (3, -30)])
def test_nothing_that_moves_so_far_is_beyond(shift: tuple[int, int]) -> None:
    alpha = silhouette()
    extent = Extent(alpha, SIDE, SIDE, MARGIN)
    right, down = shift
    moved = cv2.warpAffine(
        alpha, np.array([[1, 0, 2 * right], [0, 1, 2 * down]], np.float32), (WIDE, WIDE)
    )
    picture = moved[2 * MARGIN : -2 * MARGIN, 2 * MARGIN : -2 * MARGIN].reshape(SIDE, 2, SIDE, 2)
    columns = extent.columns(abs(right), abs(down))
    for (first, last), row in zip(columns, picture.max((1, 3)), strict=True):
        assert not row[:first].any()
        assert not row[last:].any()
    shares = (columns[:, 1] - columns[:, 0]).reshape(-1, BAND)
    assert (shares == shares[:, :1]).all()
    assert shares.mean() < 0.9 * SIDE


def test_where_there_is_nothing_nothing_is_painted() -> None:
    extent = Extent(np.zeros((WIDE, WIDE), np.uint8), SIDE, SIDE, MARGIN)
    assert not extent.columns(40, 40).any()


def test_the_picture_is_as_if_all_were_painted(
    rig: PhotoRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poses = np.random.default_rng(0).uniform(-0.17, 0.17, (12, 6)).astype(np.float32)
    poses[:, 3:] *= 0.3
    weights = weights_of({"jawOpen": 0.4, "eyeBlink": 0.5})

    def pictures() -> list[NDArray[np.uint8]]:
        renderer = Renderer(rig)
        return [f(weights, pose) for pose in poses for f in (renderer.render, renderer.cut_out)]

    parts = pictures()

    def all_of_it(extent: Extent, across: float, down: float) -> NDArray[np.int32]:
        return np.tile(np.array([0, SIDE], np.int32), (SIDE, 1))

    monkeypatch.setattr(Extent, "columns", all_of_it)
    for part, whole in zip(parts, pictures(), strict=True):
        # Where a row begins elsewhere in a triangle, the texel's 1/32 may be the next one.
        assert np.abs(part.astype(int) - whole).max() <= 8
        assert (part != whole).mean() < 1e-3


def test_flattening_changes_nothing_beyond_the_columns() -> None:
    front = np.full((2, 4, 4), 255, np.uint8)
    out = np.zeros((2, 4, 3), np.uint8)
    render.flatten(front, np.array([[1, 3], [0, 0]], np.int32), out)
    assert out[..., 0].tolist() == [[0, 255, 255, 0], [0, 0, 0, 0]]
