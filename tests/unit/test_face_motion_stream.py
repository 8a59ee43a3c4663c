import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import realtime_avatar
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.media import Audio, Motion, Phoneme
from realtime_avatar.media.motion import INDEX

SPEECH = Path(realtime_avatar.__file__).parent / "data/speech/arctic_a0007.wav"
JAW, CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]


def vowels(seconds: float, rate: int, seed: int = 0) -> NDArray[np.int16]:
    """Syllables: a buzz of 120 Hz with two formants, four times a second."""
    t = np.arange(int(seconds * rate)) / rate
    buzz = sum(
        np.sin(2 * np.pi * 120 * k * t)
        * (np.exp(-(((120 * k - 700) / 300) ** 2)) + 0.5 * np.exp(-(((120 * k - 1200) / 300) ** 2)))
        for k in range(1, 30)
    )
    noise = np.random.default_rng(seed).normal(0, 0.003, len(t))
    return ((np.maximum(0, np.sin(2 * np.pi * 2 * t)) * buzz * 0.08 + noise) * 32767).astype(
        np.int16
    )


def sentence() -> NDArray[np.int16]:
    """Somebody who speaks, 16 kHz."""
    with wave.open(str(SPEECH)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def joined(parts: list[Motion]) -> Motion:
    return Motion(
        np.concatenate([p.weights for p in parts]), np.concatenate([p.pose for p in parts])
    )


def cut(audio: Audio, sizes: list[int]) -> list[Audio]:
    chunks: list[Audio] = []
    at = 0
    while at < audio.samples:
        size = sizes[len(chunks) % len(sizes)]
        start, end = audio.start + at, audio.start + at + size
        phonemes = tuple(p for p in audio.phonemes if start <= p.start < end)
        chunks.append(replace(audio, pcm=audio.pcm[at : at + size], start=start, phonemes=phonemes))
        at += size
    return chunks


def run(motion: SpeechMotion, chunks: list[Audio]) -> Motion:
    return joined([*(motion.push(chunk) for chunk in chunks), motion.finish()])


SOUNDS = [Phoneme("m", 4000, 6000), Phoneme("ɑ", 6000, 12000), Phoneme("f", 12000, 14000)]


@pytest.mark.parametrize("fps", [25, 30, 50])
@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_cutting_the_audio_otherwise_changes_nothing(fps: int, rate: int):
    audio = Audio(vowels(1.3, rate), rate, 700, phonemes=tuple(SOUNDS))
    whole = run(SpeechMotion(fps), [audio])
    for sizes in ([411, 33, 2000], [rate // 50]):
        parts = run(SpeechMotion(fps), cut(audio, sizes))
        np.testing.assert_allclose(parts.weights, whole.weights, atol=2e-4)
        np.testing.assert_array_equal(parts.pose, whole.pose)


@pytest.mark.parametrize("fps", [25, 30, 50])
@pytest.mark.parametrize("samples", [1, 639, 640, 641, 16_000, 20_001])
def test_as_many_frames_as_it_takes_to_cover_the_audio(fps: int, samples: int):
    motion = run(SpeechMotion(fps), [Audio(vowels(2, 16_000)[:samples], 16_000, 0)])
    assert len(motion.weights) == len(motion.pose) == -(-samples * fps // 16_000)


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_a_frame_waits_for_at_most_120_ms_after_it(fps: int):
    motion, made = SpeechMotion(fps), 0
    for chunk in cut(Audio(vowels(2, 16_000), 16_000, 0), [160]):
        made += len(motion.push(chunk).weights)
        over = int((chunk.end / 16_000 - 0.12) * fps + 1e-9)
        assert made >= over - (1 if fps == 50 else 0)  # 10 ms steps against blocks of 20 ms
    assert made >= 1.8 * fps


def test_what_comes_later_than_the_look_ahead_changes_nothing():
    pcm = vowels(2, 16_000)
    other = pcm.copy()
    other[16_000:] = 0
    frames = int((1 - 0.12) * 25)
    one, two = (run(SpeechMotion(), [Audio(x, 16_000, 0)]).weights for x in (pcm, other))
    np.testing.assert_array_equal(one[:frames], two[:frames])
    assert np.abs(one - two).max() > 0.02


def test_weights_and_pose_are_in_range():
    motion = run(SpeechMotion(), [Audio(vowels(3, 24_000), 24_000, 0)])
    assert motion.weights.dtype == motion.pose.dtype == np.float32
    assert motion.weights.min() >= 0
    assert motion.weights.max() <= 1
    assert motion.weights.shape[1:] == (52,)
    assert np.abs(motion.pose[:, :3]).max() < np.radians(8)


def test_the_mouth_moves_with_speech_and_rests_in_silence():
    pcm = sentence()
    speaking = run(SpeechMotion(), [Audio(pcm, 16_000, 0)]).weights[:, JAW]
    silent = run(SpeechMotion(), [Audio.silence(48_000, 16_000)]).weights[:, JAW]
    assert speaking.std() > 0.05
    assert silent.max() < 0.03


@pytest.mark.parametrize("sound", ["m", "b", "p"])
def test_lips_meet_where_the_voice_says_so(sound: str):
    closed = (Phoneme(sound, 16_000, 17_600),)
    weights = run(SpeechMotion(), [Audio(vowels(2, 16_000), 16_000, 0, phonemes=closed)]).weights
    gap = weights[:, JAW] - weights[:, CLOSE]
    assert gap[25:27].max() < 0.012
    free = run(SpeechMotion(), [Audio(vowels(2, 16_000), 16_000, 0)]).weights
    np.testing.assert_array_equal(free[:15, JAW], weights[:15, JAW])


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_lips_leap_neither_together_nor_apart(fps: int):
    pcm = sentence()
    closed = tuple(Phoneme("p", at, at + 1600) for at in range(8000, len(pcm) - 1600, 4000))
    weights = run(SpeechMotion(fps), [Audio(pcm, 16_000, 0, phonemes=closed)]).weights
    gap = weights[:, JAW] - weights[:, CLOSE]
    assert gap.max() > 0.2
    assert np.diff(gap).max() <= 0.1101 * 25 / fps
    assert np.diff(gap).min() >= -0.1701 * 25 / fps
    for at in range(8000, len(pcm) - 1600, 4000):
        assert gap[at * fps // 16_000 + 1 : (at + 1600) * fps // 16_000].min() < 0.012


def test_speech_and_silence_are_one_stream():
    motion = SpeechMotion(seed=3)
    audio = Audio(vowels(2, 16_000), 16_000, 0)
    parts = [motion.idle(40), run(motion, [audio]), motion.idle(40), run(motion, [audio])]
    all_of_it = joined(parts)
    assert len(all_of_it.weights) == 40 + 50 + 40 + 50
    mouth = [i for name, i in INDEX.items() if name.startswith(("jaw", "mouth")) and i != CLOSE]
    assert np.abs(np.diff(all_of_it.weights[:, mouth], axis=0)).max() <= 0.1701
    assert np.abs(np.diff(all_of_it.pose[:, :3], axis=0)).max() < np.radians(0.6)
    assert all_of_it.weights[30:39, JAW].max() == 0


def test_nothing_said_is_no_frames():
    motion = SpeechMotion()
    assert len(motion.finish().weights) == 0
    assert len(motion.push(Audio.silence(0, 16_000)).weights) == 0
    assert len(motion.finish().weights) == 0
    assert len(motion.idle(3).weights) == 3


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="25, 30 or 50"):
        SpeechMotion(24)
    motion = SpeechMotion()
    motion.push(Audio.silence(100, 16_000))
    with pytest.raises(ValueError, match="from sample 100"):
        motion.push(Audio.silence(100, 16_000, 300))
