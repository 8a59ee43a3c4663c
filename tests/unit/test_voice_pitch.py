import numpy as np
import pytest

from realtime_avatar.media import Audio
from realtime_avatar.voice.pitch import pitches


@pytest.mark.parametrize("rate", [16_000, 24_000])
@pytest.mark.parametrize("hertz", [80, 125, 220, 400])
def test_the_pitch_of_a_buzz_is_found_not_its_octaves(hertz: int, rate: int):
    t = np.arange(rate) / rate
    buzz = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 9))
    found = pitches(Audio((6000 * np.asarray(buzz)).astype(np.int16), rate, 0))
    assert len(found) > 80
    assert np.median(found) == pytest.approx(hertz, rel=0.03)


def test_noise_and_silence_have_none():
    noise = np.random.default_rng(0).normal(0, 3000, 16_000).astype(np.int16)
    assert len(pitches(Audio(noise, 16_000, 0))) < 5
    assert len(pitches(Audio.silence(16_000, 16_000))) == 0
    assert len(pitches(Audio.silence(10, 16_000))) == 0
