from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.bench.bar import Bar
from realtime_avatar.bench.face_bars import bars
from realtime_avatar.bench.face_seen import lag, lip_gap
from realtime_avatar.bench.face_sound import closures, compare, correlation, speeds, unit
from realtime_avatar.bench.recordings import held_out, read_recordings
from realtime_avatar.errors import InputError
from realtime_avatar.media.audio import Audio, Phoneme
from realtime_avatar.media.motion import ARKIT, INDEX

Floats = NDArray[np.float32]


def folder(root: Path, clips: int = 3, frames: int = 10, samples: int = 640) -> Path:
    random = np.random.default_rng(0)
    pcm = random.integers(-3000, 3000, (1, clips * frames * samples), np.int16)
    with av.open(str(root / "speech.flac"), "w") as file:
        stream = file.add_stream("flac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    np.savez(
        root / "blendshapes.npz",
        scores=random.uniform(0, 1, (clips * frames, 52)).astype(np.float16),
        clips=np.array([(i * frames, frames) for i in range(clips)], np.int32),
        names=np.array([f"clip{i}" for i in range(clips)]),
    )
    return root


def test_recordings_are_read(tmp_path: Path):
    clips = read_recordings(folder(tmp_path))
    assert [clip.name for clip in clips] == ["clip0", "clip1", "clip2"]
    assert {clip.audio.samples for clip in clips} == {6400}
    assert clips[1].labels.shape == (10, 52)
    with np.load(tmp_path / "blendshapes.npz") as held:
        scores = held["scores"].astype(np.float32)
    # `_neutral` stands in front of the scores and the tongue is missing.
    jaw = INDEX["jawOpen"]
    assert np.array_equal(clips[1].labels[:, jaw], scores[10:20, jaw + 1])
    assert clips[1].labels[:, INDEX["tongueOut"]].max() == 0
    assert [clip.name for clip in held_out(clips)] == [clip.name for clip in held_out(clips)]


def test_recordings_that_do_not_fit(tmp_path: Path):
    with pytest.raises(InputError, match="there is no file"):
        read_recordings(tmp_path)
    folder(tmp_path, samples=320)
    with pytest.raises(InputError, match="is shorter than its 30 frames"):
        read_recordings(tmp_path)
    (tmp_path / "blendshapes.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        read_recordings(tmp_path)


def moving(frames: int = 60, late: int = 0) -> Floats:
    weights = np.zeros((frames, len(ARKIT)), np.float32)
    t = np.arange(frames) - late
    weights[:, INDEX["jawOpen"]] = 0.2 + 0.1 * np.sin(0.7 * t) + 0.05 * np.sin(0.23 * t)
    return weights


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_the_lag_is_found(late: int):
    assert lag(moving(late=late)[:, INDEX["jawOpen"]], moving()[:, INDEX["jawOpen"]]) == late


def test_what_agrees_and_what_does_not():
    same = compare([moving()], [moving()])
    assert same["jawOpen"]["r"] == pytest.approx(1)
    assert same["jawOpen"]["spread"] == pytest.approx(1)
    assert same["pucker"]["r"] == 0
    against = compare([0.5 - moving()], [moving()])
    assert against["jawOpen"]["r"] == pytest.approx(-1)
    assert correlation(np.zeros(5, np.float32), np.arange(5, dtype=np.float32)) == 0


def test_pairs_count_as_their_mean():
    weights = np.zeros((1, len(ARKIT)), np.float32)
    weights[0, INDEX["mouthPressLeft"]] = 0.4
    assert unit(weights, "mouthPress") == pytest.approx([0.2])


def test_speed_is_of_the_fastest_frames():
    weights = np.zeros((201, len(ARKIT)), np.float32)
    weights[100:, INDEX["jawOpen"]] = 0.5
    weights[::2, INDEX["mouthPucker"]] = 0.1
    assert speeds([weights])["jawOpen"] < 0.01
    assert speeds([weights])["pucker"] == pytest.approx(0.1)


def test_closures_are_m_b_and_p():
    phonemes = (
        Phoneme("m", 0, 1600), Phoneme("a", 1600, 3200), Phoneme("p", 3200, 3300),
        Phoneme("b", 16_000, 17_000),
    )  # fmt: skip
    audio = Audio.silence(6400, 16_000)
    audio = Audio(audio.pcm, 16_000, 0, phonemes=phonemes)
    assert closures(audio, 10) == [slice(0, 3), slice(5, 6)]


def test_the_gap_between_lips():
    points = np.zeros((478, 3), np.float32)
    points[263, 0] = 100
    for landmark in (87, 14, 317):
        points[landmark, 1] = 7
    assert lip_gap(points) == pytest.approx(0.07)


def test_a_bar_is_met_or_not():
    assert Bar("high", 0.9, least=0.85).met
    assert not Bar("high", 0.8, least=0.85).met
    assert Bar("low", 5, most=8).met
    assert not Bar("low", 9, most=8).met


def test_bars_are_about_the_worst():
    cost = {"frame": 5.0, "enrolment": 1.0, "before": 0, "memory": 2**27}
    voice: dict[str, Any] = {"mean": 0.1, "sd": 0.1, "alone": 0.8, "told": 1.0}

    def portrait(step: float) -> dict[str, Any]:
        return {"step": step, "silence": 0.0, "cost": {"512": cost, "1024": cost}}

    report: dict[str, Any] = {
        "voices": {"a": voice, "b": voice | {"alone": 0.95}},
        "silence": 0.0,
        "portraits": {"x": portrait(0.001), "y": portrait(0.03)},
    }
    found = {bar.what: bar for bar in bars(report)}
    assert not found["lips meet at m, b, p, sound alone, worst voice"].met
    assert found["lips meet at m, b, p, phonemes told, worst voice"].met
    assert found["steps of the rest of the face, eyes"].value == 0.03
    assert found["memory at 512x512, MiB"].value == 128
    assert not any("network" in what for what in found)
