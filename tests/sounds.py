"""Six seconds each of what is no speech, float64, any level."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000


def noise(colour: float) -> NDArray[np.float64]:
    """Noise whose power falls with frequency to this power."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal(6 * RATE))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (colour / 2)
    spectrum[0] = 0
    return np.fft.irfft(spectrum)


def hum() -> NDArray[np.float64]:
    t = np.arange(6 * RATE) / RATE
    return np.sum([np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 8)], axis=0)


def click() -> NDArray[np.float64]:
    sound = np.zeros(6 * RATE)
    sound[2 * RATE : 2 * RATE + 20] = 1
    return sound


def cough() -> NDArray[np.float64]:
    t = np.arange(6 * RATE) / RATE
    voice = np.sum([np.sin(2 * np.pi * 180 * k * t) / k for k in range(1, 12)], axis=0)
    sound = np.zeros(6 * RATE)
    for start in (1.0, 1.5, 3.5):
        since = np.maximum(t - start, 0)
        envelope = (t >= start) * np.exp(-since / 0.07) * (1 - np.exp(-since / 0.004))
        sound += envelope * (noise(0.5) / noise(0.5).std() + 0.5 * voice)
    return sound


def breath() -> NDArray[np.float64]:
    t = np.arange(6 * RATE) / RATE
    return noise(0.5) * np.clip(np.sin(2 * np.pi * 0.35 * t), 0, 1) ** 2


def buzz() -> NDArray[np.float64]:
    """A voice without words, which the detector takes for speech."""
    t = np.arange(6 * RATE) / RATE
    tone = np.sum([np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 12)], axis=0)
    return tone * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
