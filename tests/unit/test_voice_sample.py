"""What is said of recordings that a voice is to be learned from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import to_int16
from realtime_avatar.media.read import read_audio
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.overlap import overlap
from realtime_avatar.voice.sample import examine
from realtime_avatar.voice.speakers import GE2E, Ge2e

pytestmark = pytest.mark.weights
RATE = 16_000

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def encoder() -> Ge2e:
    return Ge2e(ModelStore().path(GE2E))


@pytest.fixture
def jfk(recordings: Path) -> Floats:
    return read_audio(recordings / "jfk.wav").float32()


def audio(sound: Floats) -> Audio:
    return Audio(to_int16(sound), RATE, 0)


def all_of(sound: Floats) -> list[tuple[int, int]]:
    return [(0, len(sound))]


def padded(sound: Floats) -> tuple[Floats, list[tuple[int, int]]]:
    quiet = np.zeros(RATE, np.float32)
    return np.concatenate([quiet, sound, quiet]), [(RATE, RATE + len(sound))]


def test_real_speech_is_taken_levelled_without_its_silence(encoder: Ge2e, jfk: Floats):
    sound, speech = padded(jfk)
    sample = examine(audio(sound), speech, encoder)
    assert sample.audio.samples == len(jfk)
    level = np.sqrt(np.square(sample.audio.float32()).mean())
    assert level == pytest.approx(0.07, rel=0.05)
    assert sample.remarks == ()
    assert sample.figures["seconds"] == pytest.approx(11, abs=0.1)


def cut(sound: Floats, seconds: int) -> Floats:
    return sound[: seconds * RATE]


def scaled(sound: Floats, factor: float) -> Floats:
    return sound * np.float32(factor)


def clipped(sound: Floats, factor: float) -> Floats:
    return np.clip(scaled(sound, factor), -0.9, 0.9)


def noisy(sound: Floats, level: float) -> Floats:
    noise = np.random.default_rng(0).standard_normal(len(sound))
    return (sound + level * noise).astype(np.float32)


def repeated(sound: Floats, times: int) -> Floats:
    return np.tile(sound, times)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (partial(cut, seconds=1), "only 1.0 seconds"),
        (partial(scaled, factor=0.003), "too quiet"),
        (partial(clipped, factor=30), "distorted"),
        (partial(noisy, level=0.5), "noise or music"),
    ],
)
def test_what_is_of_no_use_is_refused_with_advice(
    encoder: Ge2e, jfk: Floats, make: Callable[[Floats], Floats], why: str
):
    made = make(jfk)
    quiet = np.zeros(0, np.float32)
    if why == "noise or music":
        quiet = (0.5 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    sound = np.concatenate([quiet, made])
    with pytest.raises(InputError, match=why):
        examine(audio(sound), [(len(quiet), len(sound))], encoder)


@pytest.mark.parametrize(
    ("make", "remark"),
    [
        (partial(cut, seconds=5), "5 seconds"),
        (partial(scaled, factor=0.06), "quiet"),
        (partial(repeated, times=3), "first thirty seconds"),
    ],
)
def test_what_could_be_better_is_told(
    encoder: Ge2e, jfk: Floats, make: Callable[[Floats], Floats], remark: str
):
    sound, speech = padded(make(jfk))
    sample = examine(audio(sound), speech, encoder)
    assert any(remark in words for words in sample.remarks)
    assert sample.audio.seconds <= 30


def test_no_speech_is_told_from_a_tone(encoder: Ge2e):
    t = np.arange(8 * RATE) / RATE
    dial = 0.2 * np.sin(2 * np.pi * 350 * t) + 0.2 * np.sin(2 * np.pi * 440 * t)
    with pytest.raises(InputError, match="tone or music"):
        examine(audio(dial.astype(np.float32)), [], encoder)
    noise = 0.1 * np.random.default_rng(0).standard_normal(8 * RATE)
    with pytest.raises(InputError, match="nobody is heard"):
        examine(audio(noise.astype(np.float32)), [], encoder)


@pytest.mark.parametrize("pair", [("jfk", "arctic_a0007"), ("arctic_a0007", "arctic_a0009")])
def test_two_who_speak_at_once_are_told(pair: tuple[str, str], recordings: Path):
    sounds = [read_audio(recordings / f"{name}.wav").float32() for name in pair]
    sounds = [sound / np.sqrt(np.square(sound).mean()) for sound in sounds]
    length = min(map(len, sounds))
    for other in (0.5, 1.0):
        both = sounds[0][:length] + np.float32(other) * sounds[1][:length]
        assert overlap(0.1 * both) > 0.2
    for sound in sounds:
        assert overlap(0.1 * sound) < 0.12
    assert overlap(np.zeros(0, np.float32)) == overlap(np.zeros(9000, np.float32)) == 0


def test_a_second_voice_is_a_remark(encoder: Ge2e, recordings: Path, jfk: Floats):
    other = np.tile(read_audio(recordings / "arctic_a0007.wav").float32(), 3)[: len(jfk)]
    other *= np.sqrt(np.square(jfk).mean() / np.square(other).mean())
    sound, speech = padded(jfk[: len(other)] + other)
    sample = examine(audio(0.5 * sound), speech, encoder)
    assert any("second voice" in words for words in sample.remarks)


def test_two_people_are_told_from_one(encoder: Ge2e, recordings: Path, jfk: Floats):
    others = [
        read_audio(recordings / f"arctic_{name}.wav").float32() for name in ("a0007", "a0009")
    ]
    levelled = [sound * (0.07 / np.sqrt(np.square(sound).mean())) for sound in (jfk, *others)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        both = np.concatenate([levelled[one], levelled[other]])
        with pytest.raises(InputError, match="more than one person"):
            examine(audio(both), all_of(both), encoder)
    for sound in levelled:
        examine(audio(sound), all_of(sound), encoder)
