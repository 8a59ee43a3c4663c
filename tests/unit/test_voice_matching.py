"""Finding a voice: on a made-up space where the answer is known, and on the real one."""

from importlib.resources import files

import numpy as np
import pytest

from realtime_avatar.media import Audio
from realtime_avatar.voice.matching import Likeness, Measured, Target, candidates, guess
from realtime_avatar.voice.speakers import Beside, side_by_side, similarity
from realtime_avatar.voice.style_space import HALF, Pack, StyleSpace


@pytest.fixture(scope="module")
def made_up() -> tuple[Measured, np.ndarray]:
    """Points whose embeddings are a fixed function of them, and that function's matrix."""
    chance = np.random.default_rng(0)
    matrix = chance.standard_normal((12, 256)) / 12
    points = chance.standard_normal((200, 12))
    return Measured(points, heard(points, matrix), 5 + 0.1 * points[:, 0]), matrix


def heard(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    vectors = 1 + np.tanh(points @ matrix)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_the_guess_is_more_like_the_target_than_all_that_was_measured(
    made_up: tuple[Measured, np.ndarray],
):
    measured, matrix = made_up
    for seed in range(3):
        wanted = np.random.default_rng(10 + seed).standard_normal(12)
        target = heard(wanted, matrix)
        point = guess(measured, Target(target, 5 + 0.1 * wanted[0]))
        similarity = heard(point, matrix) @ target
        assert similarity > (measured.embeddings @ target).max()
        # The mean voice is where one looks without knowing anything.
        assert 1 - similarity < 0.3 * (1 - heard(np.zeros(12), matrix) @ target)


def test_pitch_counts(made_up: tuple[Measured, np.ndarray]):
    measured, matrix = made_up
    target = heard(np.zeros(12), matrix)
    high, low = (guess(measured, Target(target, pitch)) for pitch in (5.2, 4.8))
    likeness = Likeness(measured)
    assert likeness.predict(high)[1] > likeness.predict(low)[1] + 0.05


def test_candidates_differ_and_begin_with_the_guess(made_up: tuple[Measured, np.ndarray]):
    measured, matrix = made_up
    target = Target(heard(np.ones(12), matrix), None)
    found = candidates(measured, target)
    assert len(found) == 16
    np.testing.assert_array_equal(found[0], guess(measured, target))
    apart = [np.linalg.norm(a - b) for i, a in enumerate(found) for b in found[:i]]
    assert min(apart) > 0.01
    again = candidates(measured, target)
    np.testing.assert_array_equal(np.array(found), np.array(again))


def test_a_stock_voices_own_point_gives_its_pack():
    file = files("realtime_avatar") / "voice" / "data" / "matching.npz"
    with file.open("rb") as opened, np.load(opened) as held:
        names = [str(name) for name in held["names"]]
        space = StyleSpace(names, held["sound"].astype(float), held["melody"].astype(float))
        points = held["points"].astype(float)
    assert space.size == points.shape[1] == 64
    styles = np.random.default_rng(0).standard_normal((len(names), 2 * HALF)).astype(np.float32)

    def stock(name: str) -> Pack:
        return np.broadcast_to(styles[names.index(name)], (510, 1, 2 * HALF))

    mean = space.pack(np.zeros(64), stock)
    np.testing.assert_allclose(mean[0, 0], styles.mean(axis=0), atol=1e-5)
    # Each stock voice was measured twice, and is nearest to itself. The axes that are left out
    # hold 1% of the sound and 5% of the melody.
    for index in range(len(names)):
        sound, melody = space.weights(points[2 * index])
        assert sound.argmax() == index
        assert melody[index] > 5 / len(names)
        assert melody.sum() == pytest.approx(1, abs=1e-4)
        assert sound.sum() == pytest.approx(1, abs=1e-4)


def test_what_both_encoders_heard_is_kept():
    file = files("realtime_avatar") / "voice" / "data" / "matching.npz"
    with file.open("rb") as opened, np.load(opened) as held:
        heard = [held[name].astype(np.float32) for name in ("ge2e", "campplus")]
        points = held["points"]
    assert [len(vectors) for vectors in heard] == [len(points)] * 2
    for vectors in (*heard, side_by_side(heard)):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    # A stock voice's second sentence is more like its first than like another voice's, by either.
    for vectors in heard:
        first, second = vectors[0:108:2], vectors[1:108:2]
        assert ((second @ first.T).argmax(axis=1) == np.arange(54)).mean() > 0.6


class Constant:
    """Hears the same everywhere."""

    def __init__(self, vector: list[float]) -> None:
        self._vector = np.array(vector, np.float32)

    def embed(self, audio: Audio) -> np.ndarray:
        return self._vector


def test_the_cosine_of_several_is_the_mean_of_theirs():
    nothing = Audio(np.zeros(0, np.int16), 16_000, 0)
    one = Beside([Constant([1, 0]), Constant([0, 0.6, 0.8])]).embed(nothing)
    other = Beside([Constant([0.8, 0.6]), Constant([0, 0, 1])]).embed(nothing)
    assert np.linalg.norm(one) == pytest.approx(1)
    assert similarity(one, other) == pytest.approx((0.8 + 0.8) / 2)
