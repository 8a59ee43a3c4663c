import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.engines.ports import Presence
from realtime_avatar.face.life import Life
from realtime_avatar.face.prosody import PAUSE, SPEAKING, STRESS, Prosody
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]

BLINK = INDEX["eyeBlinkLeft"]


def quiet(seconds: float, fps: int = 25) -> NDArray[np.float32]:
    return Prosody.silence(int(seconds * fps))


def talk(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    rows = quiet(seconds)
    rows[:, SPEAKING] = 1
    stressed = random.random(len(rows)) < 0.05
    rows[stressed, STRESS] = random.uniform(0.3, 1, stressed.sum())
    return rows


def onsets(weights: NDArray[np.float32]) -> NDArray[np.int64]:
    shut = weights[:, BLINK] > 0.5
    return np.flatnonzero(shut[1:] & ~shut[:-1])


def test_the_seed_decides():
    rows = talk(30)
    one, two, other = (Life(25, seed).frames(rows) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert np.abs(one[1] - other[1]).max() > 0.01


def test_it_does_not_matter_how_many_frames_at_once():
    rows = talk(10)
    whole, piecewise = Life(25, 5), Life(25, 5)
    parts = [piecewise.frames(rows[i : i + 7]) for i in range(0, len(rows), 7)]
    weights, pose = whole.frames(rows)
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), weights)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), pose)


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_blinks_come_at_natural_intervals_and_last_a_third_of_a_second(fps: int):
    weights, _ = Life(fps, 4).frames(quiet(600, fps))
    between = np.diff(onsets(weights)) / fps
    assert 2 < np.median(between) < 6
    assert between.max() < 9
    assert (between < 1).any()  # a double one, now and then
    shut = (weights[:, BLINK] > 0.02).sum() / len(onsets(weights)) / fps
    assert 0.25 < shut < 0.4
    assert weights[:, BLINK].max() > 0.9


def test_phrases_end_in_blinks():
    rows = talk(300)
    ends = np.arange(100, len(rows), 75)
    rows[ends, PAUSE] = 1

    def share(rows: NDArray[np.float32]) -> float:
        at = onsets(Life(25, 6).frames(rows)[0])
        return float(np.mean([((at >= end) & (at < end + 12)).any() for end in ends]))

    with_ends = share(rows)
    rows[:, PAUSE] = 0
    assert with_ends > share(rows) + 0.2


def test_stress_nods_and_raises_the_brows():
    rows = talk(20)
    rows[:, STRESS] = 0
    plain, still = Life(25, 7).frames(rows)
    rows[100, STRESS] = 1
    stressed, nodding = Life(25, 7).frames(rows)
    brow = INDEX["browInnerUp"]
    assert (stressed[100:115, brow] - plain[100:115, brow]).max() > 0.1
    assert (nodding[100:115, 1] - still[100:115, 1]).max() > np.radians(0.7)
    np.testing.assert_array_equal(nodding[:100], still[:100])


def test_nothing_pops_and_nothing_strays():
    weights, pose = Life(25, 8).frames(np.concatenate([quiet(60), talk(120), quiet(60)]))
    limits = np.radians((3, 4, 3.5))
    assert (np.abs(pose[:, :3]).max(0) < limits).all()
    assert np.abs(pose[:, 3:]).max() < 0.02
    assert np.abs(np.diff(pose[:, :3], axis=0)).max() < np.radians(0.5)
    others = [i for name, i in INDEX.items() if name.startswith(("brow", "cheek"))]
    assert np.abs(np.diff(weights[:, others], axis=0)).max() < 0.12
    assert pose[:, :3].std(0).min() > np.radians(0.2)


def test_eyes_move_together():
    weights, _ = Life(25, 9).frames(quiet(120))
    left, right = INDEX["eyeLookOutLeft"], INDEX["eyeLookInRight"]
    np.testing.assert_array_equal(weights[:, left], weights[:, right])
    assert weights[:, left].max() > 0.05
    assert (weights[:, left] * weights[:, INDEX["eyeLookInLeft"]] == 0).all()


def present(*scenes: tuple[Presence, float], seed: int = 3) -> tuple[Floats, Floats]:
    """One life through scenes of some seconds each, nothing said."""
    life = Life(25, seed)
    parts = [life.frames(quiet(seconds), presence) for presence, seconds in scenes]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def test_a_listener_leans_in_with_raised_brows_and_looks_at_the_viewer():
    (weights, pose), (plain, still) = present(("listening", 300)), present(("idle", 300))
    brow, roll, near = INDEX["browInnerUp"], 2, 5
    assert weights[50:, brow].mean() > plain[50:, brow].mean() + 0.08
    assert abs(pose[50:, roll].mean() - still[50:, roll].mean()) > np.radians(1.2)
    assert pose[50:, near].mean() > still[50:, near].mean() + 0.01
    assert aside(weights, pose).mean() < 0.5 * aside(plain, still).mean()


def aside(weights: Floats, pose: Floats) -> NDArray[np.bool_]:
    """Return where the eyes look past the viewer, the head's own turn undone."""
    across = weights[:, INDEX["eyeLookOutLeft"]] - weights[:, INDEX["eyeLookInLeft"]]
    return np.abs(across + pose[:, 0] / 0.43) > 0.09


def test_the_eyes_stay_on_the_viewer_while_the_head_moves():
    weights, pose = present(("listening", 60))
    across = weights[:, INDEX["eyeLookOutLeft"]] - weights[:, INDEX["eyeLookInLeft"]]
    assert np.corrcoef(across, pose[:, 0])[0, 1] < -0.5


def test_presence_changes_within_half_a_second_and_without_a_jump():
    for scene in ("listening", "thinking"):
        weights, pose = present(("idle", 4), (scene, 4), ("idle", 4))
        assert np.abs(np.diff(pose[:, :3], axis=0)).max() < np.radians(0.6)
        brows = [i for name, i in INDEX.items() if name.startswith("brow")]
        assert np.abs(np.diff(weights[:, brows], axis=0)).max() < 0.04
    weights, _ = present(("idle", 4), ("listening", 4))
    rise = weights[:, INDEX["browOuterUpLeft"]]
    assert rise[100 + 13] > 0.85 * rise[-1]


def test_a_nod_goes_down_once_and_comes_back():
    _, still = present(("listening", 2), ("listening", 2))
    _, nodding = present(("listening", 2), ("nodding", 2))
    down = (nodding - still)[50:, 1]
    assert np.radians(0.8) < down.max() < np.radians(3)
    assert abs(down[-1]) < np.radians(0.1)
    assert down[:40].argmax() in range(3, 12)


def test_a_thinker_looks_aside_soon_and_back_again():
    weights, pose = present(("listening", 3), ("thinking", 30))
    away = aside(weights, pose)[75:]
    assert not away[:17].any()
    assert away[17:32].any()
    assert 0.3 < away.mean() < 0.85


@pytest.mark.parametrize("seed", range(5))
def test_somebody_who_was_asked_keeps_still_before_they_think(seed: int):
    weights, pose = present(("listening", 3), ("thinking", 0.7), seed=seed)
    _, moving = present(("listening", 3.7), seed=seed)
    still, moved = (np.abs(np.diff(one[80:, :3], axis=0)).sum() for one in (pose, moving))
    assert still < 0.5 * moved
    lids = weights[75:, INDEX["eyeBlinkLeft"]]
    assert (np.diff(lids)[8:] <= 0).all()  # one that had begun may end
    assert weights[-1, INDEX["browOuterUpLeft"]] > 0.06  # they still listen


def syllables(gains: list[float]) -> NDArray[np.float32]:
    """Levelled mels: 100 ms of sound for each gain, 60 ms of quiet after it."""
    frames: list[NDArray[np.float32]] = []
    for gain in gains:
        frames += [np.full((10, 64), gain, np.float32), np.full((6, 64), -3.5, np.float32)]
    return np.concatenate(frames)


def test_prosody_marks_stress_and_phrase_ends():
    gains = [-0.4] * 10 + [1.2] + [-0.4] * 10
    heard = np.concatenate([syllables(gains), np.full((60, 64), -3.5, np.float32)])
    rows = Prosody(6).push(heard)
    assert len(rows) == len(heard) // 2 - 6
    stressed = np.flatnonzero(rows[:, STRESS] > 0.6)
    assert len(stressed) == 1
    assert abs(stressed[0] + 6 - 10 * 8) <= 6  # steps of 20 ms, 8 a syllable
    assert rows[:, PAUSE].sum() == 1
    assert rows[-20:, SPEAKING].max() == 0
    assert rows[20:80, SPEAKING].min() == 1
