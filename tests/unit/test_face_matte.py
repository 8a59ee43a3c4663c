import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landmarks import measured
from realtime_avatar.face import matte
from realtime_avatar.face.portrait import default_portrait, read_portrait

Floats = NDArray[np.float32]
SIDE = 320


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    whole = read_portrait(default_portrait())
    return np.asarray(cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def points() -> Floats:
    return measured(SIDE)


@pytest.fixture(scope="module")
def found(portrait: NDArray[np.uint8], points: Floats) -> matte.Matte:
    cut = matte.find(portrait, points)
    assert cut is not None
    return cut


def test_the_person_is_in_front_and_the_corners_are_not(found: matte.Matte, points: Floats):
    alpha = found.front[..., 3]
    face = points[[10, 152, 50, 280, 1], :2].astype(int)
    assert (alpha[face[:, 1], face[:, 0]] == 255).all()
    assert alpha[:20, :20].max() == alpha[:20, -20:].max() == 0
    assert alpha[-2, SIDE // 2] == 255
    assert 0.3 < (alpha > 127).mean() < 0.7


def test_both_layers_make_the_portrait_again(found: matte.Matte, portrait: NDArray[np.uint8]):
    alpha = found.front[..., 3:].astype(np.float32) / 255
    again = found.front[..., :3] + (1 - alpha) * found.plate
    assert np.percentile(np.abs(again - portrait), 99) <= 6


def test_the_plate_shows_nobody(found: matte.Matte):
    assert found.plain
    assert found.plate.astype(np.float32).std(axis=(0, 1)).max() < 20


def test_colours_are_premultiplied(found: matte.Matte):
    assert (found.front[..., :3] <= found.front[..., 3:]).all()


def test_a_busy_background_is_cut_off_too(found: matte.Matte, points: Floats):
    random = np.random.default_rng(0)
    tiles = random.integers(30, 225, (8, 8, 3), np.uint8)
    busy = cv2.resize(tiles, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    alpha = found.front[..., 3:].astype(np.float32) / 255
    scene = (found.front[..., :3] + (1 - alpha) * busy).astype(np.uint8)
    cut = matte.find(scene, points)
    assert cut is not None
    assert not cut.plain
    assert np.abs(cut.front[..., 3] / 255 - alpha[..., 0]).mean() < 0.12


def test_nothing_to_tell_apart(points: Floats):
    assert matte.find(np.full((SIDE, SIDE, 3), 120, np.uint8), points) is None


def test_hair_that_the_frame_cuts_off_is_closed_by_a_dome():
    front = np.zeros((60, 100, 4), np.uint8)
    front[:, 30:70] = (20, 20, 20, 255)
    around = matte.extended(front, 20, 10, 5, 5, 30.0)
    assert around.shape == (90, 110, 4)
    above = around[:20, :, 3]
    assert above[-1, 38:72].min() > 200
    assert above[0].max() == 0
    heights = (above > 127).sum(0)
    assert heights[54] > heights[40] > heights[36]
    assert heights[:34].max() == 0


def test_a_border_mirrors_only_what_the_edge_cuts_through():
    front = np.zeros((40, 40, 4), np.uint8)
    front[20:, :] = 255
    front[5:10, 3:8] = 255
    around = matte.extended(front, 0, 0, 10, 10, 20.0)
    assert around[25, :10, 3].min() == 255
    assert around[5:10, :10, 3].max() == 0
