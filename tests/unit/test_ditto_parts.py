"""The parts of the neural face between sound and pictures."""

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")

from ditto_checkpoint import CONFIG, NARROW, narrow_checkpoint, write  # noqa: E402
from realtime_avatar.errors import ConfigError, ModelMissing  # noqa: E402
from realtime_avatar.face.ditto import checkpoint, hubert, pose  # noqa: E402
from realtime_avatar.face.ditto.condition import EMOTIONS, SOUND, Wanted, eyes  # noqa: E402
from realtime_avatar.face.ditto.painter import Backdrop, nv12  # noqa: E402
from realtime_avatar.face.ditto.portrait import Cut  # noqa: E402
from realtime_avatar.face.ditto.windows import MotionStream, Window  # noqa: E402
from realtime_avatar.face.landmarks import Landmarks  # noqa: E402
from realtime_avatar.media.audio import Audio  # noqa: E402
from realtime_avatar.media.picture import rgb  # noqa: E402

ALL = Wanted(emotion=True, eye_open=True, eye_ball=True, face=True)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


# The checkpoint


def test_a_folder_as_published_is_read():
    read = checkpoint.load(narrow_checkpoint())
    assert read.wanted == ALL
    assert read.decoder.fc.weight.shape[0] == 512 // NARROW
    assert read.limits is not None
    assert read.limits[0].shape == read.limits[1].shape == (265,)


def test_files_side_by_side_are_read_too(tmp_path: Path):
    for path in narrow_checkpoint().rglob("*.*"):
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    assert checkpoint.load(tmp_path).wanted == ALL


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ModelMissing, match=r"no appearance_extractor\.pth .* models pull ditto"):
        checkpoint.load(tmp_path)


def test_conditions_that_do_not_add_up_are_told(tmp_path: Path):
    folder = write(tmp_path, condition=1059)
    with pytest.raises(ConfigError, match=r"takes 1059 numbers .* asks for 1103: .*face"):
        checkpoint.load(folder)


def test_weights_of_another_shape_are_told(tmp_path: Path):
    folder = write(tmp_path)
    path = folder / "ditto_pytorch" / "models" / "decoder.pth"
    state = torch.load(path, weights_only=True)
    del state["up_1.conv_s.weight_orig"]
    torch.save(state, path)
    with pytest.raises(ModelMissing, match=r"decoder .* Missing key.*up_1\.conv_s\.weight_orig"):
        checkpoint.load(folder)


def test_a_config_that_would_run_something_is_refused(tmp_path: Path):
    folder = write(tmp_path)
    path = folder / "ditto_cfg" / "v0.4_hubert_cfg_pytorch.pkl"
    path.write_bytes(pickle.dumps({**CONFIG, "more": exec}))
    with pytest.raises(ModelMissing, match=r"builtins\.exec"):
        checkpoint.load(folder)


# What it is told


def test_only_the_wanted_conditions_are_given_in_their_order():
    look, kp = noise(8), noise(21, 3)
    told = ALL.of(look, kp, "happy")
    assert len(told) == ALL.width - SOUND == 79
    assert int(np.argmax(told[:8])) == EMOTIONS.index("happy")
    assert told[:8].sum() == pytest.approx(1)
    assert np.allclose(told[8:16], look)
    assert np.allclose(told[16:], kp.ravel())
    fewer = Wanted(emotion=False, eye_open=True, eye_ball=False, face=True)
    assert np.allclose(fewer.of(look, kp, "sad"), [*look[:2], *kp.ravel()])


def test_eyes_are_measured_in_their_own_width():
    points = np.zeros((478, 3), np.float32)
    for outer, inner, pupil, lids, x in (
        (33, 133, 468, ((145, 159), (144, 160), (153, 158)), 100),
        (263, 362, 473, ((374, 386), (373, 387), (380, 385)), 300),
    ):
        points[outer, 0], points[inner, 0], points[pupil, 0] = x, x + 40, x + 20
        for low, high in lids:
            points[low, 1], points[high, 1] = 6, -6
    found = eyes(Landmarks(points, np.zeros(52, np.float32), 1))
    assert np.allclose(found[:2], 3 * 12 / 40, atol=1e-4)
    assert np.allclose(found[2:], 0, atol=1e-4)
    points[[468, 473], 1] = 8
    # x, y, z in turn for both eyes: downwards, less the eye's own direction (to the left).
    there = eyes(Landmarks(points, np.zeros(52, np.float32), 1))[2:].reshape(3, 2)
    assert np.allclose(there, np.array([[8, 8], [8, 8], [0, 0]]) / 512, atol=1e-4)


# Hearing


def numbered(samples: np.ndarray) -> np.ndarray:
    """Outputs of 20 ms that say where in the chunk they are, and what is heard there."""
    outputs = (len(samples) - 400) // 320 + 1
    means = [samples[at * 320 : at * 320 + 400].mean() for at in range(outputs)]
    return np.repeat(np.array(means, np.float32)[:, None], SOUND, 1)


@pytest.mark.parametrize("chunk", [160, 3200, 100_000])
def test_features_do_not_depend_on_how_the_sound_comes(chunk: int):
    pcm = (1000 * noise(16_000)).astype(np.int16)
    ears = hubert.Ears(numbered)
    found = [ears.push(Audio(pcm[at : at + chunk], 16_000, at)) for at in range(0, len(pcm), chunk)]
    before = sum(map(len, found))
    found.append(ears.finish(25 - before))
    features = np.concatenate(found)
    assert before == 20
    assert features.shape == (25, SOUND)
    whole = np.concatenate([pcm / 32768, np.zeros(6480)])
    for frame in range(25):
        near = [whole[640 * frame + off :][:400].mean() for off in (0, 320)]
        assert features[frame, 0] == pytest.approx(np.mean(near), abs=1e-4)


# Motion


class Diffusion:
    """Tells of each frame what was heard in it; remembers the windows."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.off = 0.0

    async def __call__(self, window: Window, within: float) -> np.ndarray:
        self.windows.append(window)
        return np.repeat(window.cond[:, :1] + self.off, 265, 1).astype(np.float32)


@pytest.mark.anyio
async def test_windows_overlap_and_end_with_what_is_newest():
    diffusion = Diffusion()
    stream = MotionStream(diffusion, np.zeros(265, np.float32), np.zeros(4, np.float32))
    heard = np.repeat(np.arange(1, 101, dtype=np.float32)[:, None], 4, 1)
    made = [await stream.extend(heard[:5], 0.1), await stream.extend(heard[5:100], 0.1)]
    assert [len(rows) for rows in made] == [5, 95]
    ends = [(w.cond[0, 0], w.cond[-1, 0]) for w in diffusion.windows]
    assert ends == [(0, 5), (0, 75), (21, 100)]
    # The expression, which is not smoothed, says what was heard.
    assert np.allclose(np.concatenate(made)[:, -1], np.arange(1, 101))
    assert diffusion.windows[2].before[-1] == 20


@pytest.mark.anyio
async def test_a_window_that_disagrees_makes_no_jump():
    diffusion = Diffusion()
    stream = MotionStream(diffusion, np.zeros(265, np.float32), np.zeros(4, np.float32))
    first = await stream.extend(np.zeros((20, 4), np.float32), 0.1)
    diffusion.off = 5.0
    second = await stream.extend(np.zeros((20, 4), np.float32), 0.1)
    rows = np.concatenate([first, second])[:, -1]
    assert np.abs(np.diff(rows)).max() == pytest.approx(0.5, abs=1e-5)
    assert rows[-1] == pytest.approx(5)


@pytest.mark.anyio
async def test_what_nobody_saw_is_taken_back_and_branches_do_not_mix():
    diffusion = Diffusion()
    stream = MotionStream(diffusion, np.zeros(265, np.float32), np.zeros(4, np.float32))
    await stream.extend(np.repeat(np.arange(1, 31, dtype=np.float32)[:, None], 4, 1), 0.1)
    branch = stream.branch(10)
    await branch.extend(np.full((1, 4), 99, np.float32), 0.1)
    assert diffusion.windows[-1].cond[-3:, 0].tolist() == [19, 20, 99]
    await stream.extend(np.full((1, 4), 99, np.float32), 0.1)
    assert diffusion.windows[-1].cond[-3:, 0].tolist() == [29, 30, 99]


@pytest.mark.anyio
async def test_motion_stays_within_the_checkpoints_limits():
    stream = MotionStream(
        Diffusion(), np.zeros(265, np.float32), np.zeros(4, np.float32),
        (np.full(265, -1, np.float32), np.full(265, 2, np.float32)),
    )  # fmt: skip
    rows = await stream.extend(np.repeat(np.array([[-9], [9]], np.float32), 4, 1), 0.1)
    assert rows[:, -1].tolist() == [-1, 2]


# Keypoints


def test_angles_are_read_off_their_scores():
    scores = np.full((3, 66), -100, np.float32)
    scores[[0, 1, 2], [32, 33, 65]] = 100
    assert np.allclose(pose.degrees(scores), [-1.5, 1.5, 97.5])


def test_a_turn_of_the_head_turns_keypoints_and_their_size_scales_them():
    motion = np.zeros((1, 265), np.float32)
    for part in (pose.PITCH, pose.YAW, pose.ROLL):
        scores = motion[0, part]
        scores[:] = -100
        scores[32:34] = 100  # half and half: straight ahead
    kp = noise(21, 3)
    assert np.allclose(pose.keypoints(motion, kp)[0], kp, atol=1e-5)
    motion[0, pose.SCALE], motion[0, pose.SHIFT] = 0.5, (0.1, 0.2, 0.3)
    assert np.allclose(pose.keypoints(motion, kp)[0], 1.5 * kp + [0.1, 0.2, 0], atol=1e-5)
    turn = pose.rotations(*(np.array([angle], np.float32) for angle in (0, 90, 0)))[0]
    assert np.allclose(np.array([0, 0, 1]) @ turn, [1, 0, 0], atol=1e-6)


def test_the_portrait_is_as_it_is_when_the_motion_is_its_first():
    source = pose.Source(np.float32(0.1) * noise(265), noise(21, 3, seed=1))
    first = noise(265, seed=2)
    same = pose.driven(source, first[None], first)
    assert np.allclose(same, source.motion, atol=1e-5)


def test_only_lips_and_eyes_are_driven_of_the_expression():
    source = pose.Source(np.float32(0.1) * noise(265), noise(21, 3, seed=1))
    first = noise(265, seed=2)
    moved = first.copy()
    moved[pose.EXPRESSION] += 1
    expression = pose.driven(source, moved[None], first)[0, pose.EXPRESSION].reshape(21, 3)
    change = expression - source.motion[pose.EXPRESSION].reshape(21, 3)
    still = np.abs(change).max(1) < 1e-5
    assert np.flatnonzero(~still).tolist() == [6, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]


# Pictures


def test_a_face_is_pasted_where_it_was_cut_out():
    frame = np.full((200, 300, 3), 50, np.uint8)
    turned = np.asarray(cv2.getRotationMatrix2D((256, 256), 20, 0.25), np.float64)
    turned[:, 2] += (150 - 256, 100 - 256)
    cut = Cut(frame, frame[:64, :64], turned, np.zeros(8, np.float32), ())
    backdrop = Backdrop(
        cut, np.zeros((16, 8, 8, 2), np.float16), torch.device("cpu"), torch.float32
    )
    face = torch.ones(3, 64, 64)
    face[:, 30:34, 30:34] = 0
    planes = backdrop.paste(face).numpy()
    picture = rgb(planes)
    assert picture.shape == frame.shape
    assert picture.dtype == np.uint8
    assert (picture[100, 150] < 60).all()
    assert (picture[100, 180] >= 254).all()
    around = rgb(nv12(torch.from_numpy(frame)).numpy())
    assert (picture[:10] == around[:10]).all()
    assert (picture[:, :60] == around[:, :60]).all()
    assert np.abs(around.astype(int) - 50).max() <= 1
    assert (backdrop.paste(face).numpy() == planes).all()


def test_nv12_is_what_opencv_makes_of_it():
    noisy = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    # Colours that change slowly: OpenCV takes one of four pixels, not their mean.
    smooth = cv2.resize(noisy[:2, :3], (64, 48), interpolation=cv2.INTER_LINEAR)
    ours = nv12(torch.from_numpy(smooth)).numpy()
    i420 = cv2.cvtColor(smooth, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[48:].reshape(2, 24, 32)
    assert ours.shape == (72, 64)
    assert np.abs(ours[:48].astype(int) - i420[:48]).max() <= 1
    chroma = ours[48:].reshape(24, 32, 2).astype(int)
    assert np.abs(chroma - np.stack([u, v], -1)).mean() < 3
