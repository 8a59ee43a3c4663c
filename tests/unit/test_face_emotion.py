from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.face.emotion import Emotions, add
from realtime_avatar.face.motion import SpeechMotion
from realtime_avatar.media import Audio, Phoneme
from realtime_avatar.media.audio import EMOTIONS
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]
SMILE, CLOSE, JAW = (INDEX[name] for name in ("mouthSmileLeft", "mouthClose", "jawOpen"))


def felt(emotions: Emotions, names: Sequence[str | None]) -> Floats:
    return np.array([emotions.step(name) for name in names])


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_a_feeling_is_there_after_300_ms_and_never_jumps(fps: int):
    half = fps // 2
    rows = felt(Emotions(fps), ["neutral"] * half + ["happy"] * half + ["sad"] * half)
    assert not rows[half - 1].any()
    assert rows[half + round(0.3 * fps), SMILE] > 0.95 * rows[:, SMILE].max() > 0.3
    assert rows[-1, SMILE] == 0
    assert np.abs(np.diff(rows, axis=0)).max() < 1.6 / (0.3 * fps)


def test_an_unsaid_feeling_is_the_one_before_and_lingers_a_moment_after_speech():
    rows = felt(Emotions(25), ["happy", *[""] * 25, *[None] * 75])
    happy = rows[25, SMILE]
    assert happy > 0.3
    assert rows[25 + 25, SMILE] == happy
    assert rows[-1, SMILE] == 0


@pytest.mark.parametrize("name", [name for name in EMOTIONS if name != "neutral"])
def test_every_feeling_has_a_face(name: str):
    row = felt(Emotions(25), [name] * 25)[-1]
    assert np.abs(row).max() > 0.1
    assert row[:52].min() >= 0
    assert row[:52].max() <= 1
    assert np.abs(row[52:55]).max() < np.radians(5)


def test_a_smile_gives_way_to_round_lips_and_to_closures():
    happy = felt(Emotions(25), ["happy"] * 25)[-1, :52]
    round_lips = np.zeros(52, np.float32)
    round_lips[INDEX["mouthPucker"]] = 0.8
    before = round_lips.copy()
    add(round_lips, happy, 0.0)
    assert round_lips[SMILE] < 0.3 * happy[SMILE]
    assert before[INDEX["browInnerUp"]] < round_lips[INDEX["browInnerUp"]]
    shut = np.zeros(52, np.float32)
    add(shut, happy, 1.0)
    assert shut[INDEX["mouthUpperUpLeft"]] == 0
    assert shut[SMILE] == pytest.approx(happy[SMILE])


def test_speech_is_said_with_its_feeling():
    tone = (3000 * np.sin(np.arange(32_000) * 0.05)).astype(np.int16)
    said = Audio(tone, 16_000, 0, phonemes=(Phoneme("m", 20_000, 22_000),))
    parts = [
        replace(said, pcm=tone[:16_000], phonemes=()),
        replace(said, pcm=tone[16_000:], start=16_000, emotion="happy"),
    ]

    def run(parts: list[Audio]) -> Floats:
        motion = SpeechMotion()
        made = [*(motion.push(part) for part in parts), motion.finish()]
        return np.concatenate([part.weights for part in made])

    happy, plain = run(parts), run([said])
    np.testing.assert_array_equal(happy[:25], plain[:25])
    assert (happy[33:, SMILE] - plain[33:, SMILE]).min() > 0.05
    gap = happy[:, JAW] - happy[:, CLOSE]
    assert gap[32:34].max() < 0.02


def test_an_unknown_feeling_is_refused():
    with pytest.raises(ValueError, match="no emotion 'hungry'"):
        SpeechMotion().push(replace(Audio.silence(640, 16_000), emotion="hungry"))
