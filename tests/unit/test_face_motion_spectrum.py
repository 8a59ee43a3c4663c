import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.spectrum import BANDS, Leveller, log_mel

PRIOR = np.full(BANDS, -4, np.float32)


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.05, int(seconds * 16_000)).astype(np.float32)


def test_a_tone_lies_in_its_band():
    t = np.arange(16_000) / 16_000
    tone = np.pad(np.sin(2 * np.pi * 1000 * t), (240, 0)).astype(np.float32)
    mels = log_mel(tone)
    assert mels.shape == (100, BANDS)
    low, high = (2595 * np.log10(1 + f / 700) for f in (60, 7600))
    band = (2595 * np.log10(1 + 1000 / 700) - low) / ((high - low) / (BANDS + 1)) - 1
    assert abs(int(mels[50].argmax()) - band) < 1


def test_only_the_past_counts():
    one, two = noise(2), noise(2)
    two[16_000:] *= 3
    first, second = (
        Leveller(PRIOR).level(log_mel(np.pad(x, (240, 0)))[None])[0] for x in (one, two)
    )
    np.testing.assert_array_equal(first[:100], second[:100])
    assert np.abs(first[101:] - second[101:]).max() > 0.1


def test_loud_and_soft_come_to_the_same():
    sound = noise(20)
    loud, soft = (
        Leveller(PRIOR).level(log_mel(np.pad(x, (240, 0)))[None])[0]
        for x in (sound, np.float32(0.1) * sound)
    )
    assert np.abs(loud[-100:].mean() - soft[-100:].mean()) < 0.05


def test_silence_is_the_bottom():
    sound = np.concatenate([noise(3), np.zeros(16_000, np.float32)])
    levelled = Leveller(PRIOR).level(log_mel(np.pad(sound, (240, 0)))[None])[0]
    assert levelled[-50:].max() == -3.5


def test_streams_side_by_side_do_not_touch():
    mels = np.stack([log_mel(np.pad(noise(1, seed), (240, 0))) for seed in (1, 2)])
    both = Leveller(PRIOR, 2).level(mels)
    for row in (0, 1):
        np.testing.assert_allclose(both[row], Leveller(PRIOR).level(mels[row : row + 1])[0])
