"""Makes one talker sound like many, in ways that leave the motion what it was."""

from dataclasses import replace

import numpy as np
import soxr
from data import Array, Clip, stretched
from numpy.typing import NDArray

from realtime_avatar.face.spectrum import BANDS, RATE


def faster(clip: Clip, speed: float) -> Clip:
    """Return a clip played faster: pitch, formants and motion all go with it."""
    pcm = soxr.resample(clip.pcm, RATE, RATE / speed).astype(np.float32)
    frames = len(pcm) // 640
    return replace(clip, pcm=pcm[: frames * 640], labels=stretched(clip.labels, speed, frames))


def roomed(clip: Clip, random: np.random.Generator) -> Clip:
    """Return a clip in a room: a direct path, then noise that decays by 60 dB in 0.15-0.5 s."""
    seconds = random.uniform(0.15, 0.5)
    t = np.arange(int(seconds * RATE)) / RATE
    tail = random.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    tail[: int(0.003 * RATE)] = 0
    tail *= 10 ** (random.uniform(-14, -4) / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    size = 1 << (len(clip.pcm) + len(tail)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(clip.pcm, size) * np.fft.rfft(tail, size), size)
    return replace(clip, pcm=wet[: len(clip.pcm)].astype(np.float32))


def _shift(factor: float) -> Array:
    """Return the matrix (64, 64) that moves a mel spectrum as a vocal tract shorter by
    `factor` does (Jaitly and Hinton 2013, VTLP, without its breakpoint)."""
    low, high = 2595 * np.log10(1 + np.array([60, 7600]) / 700)
    mels = np.linspace(low, high, BANDS + 2)[1:-1]
    hertz = 700 * (10 ** (mels / 2595) - 1) / factor
    at = (2595 * np.log10(1 + hertz / 700) - mels[0]) / (mels[1] - mels[0])
    at = np.clip(at, 0, BANDS - 1)
    down = np.minimum(at.astype(int), BANDS - 2)
    matrix = np.zeros((BANDS, BANDS), np.float32)
    rows = np.arange(BANDS)
    matrix[down, rows] = 1 - (at - down)
    matrix[down + 1, rows] += at - down
    return matrix


_SHIFTS = [_shift(f) for f in np.linspace(0.84, 1.22, 20)]


# The power of noise in one band of one frame has few degrees of freedom; drawn once, for
# it is slow, and read from anywhere.
_GRAIN = np.log(np.random.default_rng(1).gamma(4, 0.25, (8192, BANDS))).astype(np.float32)
_AXIS = np.linspace(-1, 1, BANDS)


def varied(mels: Array, change: NDArray[np.bool_], random: np.random.Generator) -> Array:
    """Return log-mels (clips, frames, 64) of other voices, microphones, noise, levels.

    Args:
        mels: Of the clips as they were made.
        change: Which of them are varied at all, shape (clips,).
        random: Of what is done.
    """
    return np.stack(
        [
            _varied(x, random) if much else x + np.float32(random.normal(0, 0.5))
            for x, much in zip(mels, change, strict=True)
        ]
    )


def _varied(x: Array, random: np.random.Generator) -> Array:
    frames = len(x)
    floor = x.min()
    if random.random() < 0.7:
        x = x @ _SHIFTS[random.integers(len(_SHIFTS))]
    tone = np.full(BANDS, random.normal(0, 1.2))
    if random.random() < 0.7:  # a smooth curve over the bands, up to +-10 dB
        tone += _curve(random.normal(0, 0.9, 5) * (0, 1, 1, 1, 1))
    x = x + tone.astype(np.float32)
    if random.random() < 0.15:  # telephone and narrow codecs
        x[:, : random.integers(0, 8)] = floor
        x[:, random.integers(44, BANDS) :] = floor
    x = _noisy(x, random)
    if random.random() < 0.3:  # a moment that is not heard, some bands that are not
        at, span = random.integers(0, frames - 30), random.integers(2, 12)
        x[at : at + span] = floor
        at, span = random.integers(0, BANDS - 8), random.integers(2, 9)
        x[:, at : at + span] = x[:, at : at + span].mean()
    return x


def _curve(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.polynomial.legendre.legval(_AXIS, weights)


def _noisy(x: Array, random: np.random.Generator) -> Array:
    """Return log-mels with noise: none, a hiss or hum of any colour, some of it unsteady."""
    if random.random() < 0.4:
        return np.maximum(x, np.float32(random.uniform(-16, -8)))
    speech = np.log(np.exp(x).mean(1))
    loud = np.percentile(speech, 90) - random.uniform(12, 40) * np.log(10) / 10
    colour = loud + _curve(random.normal(0, 1.2, 4) * (0, 1, 1, 0.5))
    wander = random.normal(0, random.uniform(0, 0.8), 8)
    sway = np.interp(np.arange(len(x)), np.linspace(0, len(x), 8), wander)
    at = random.integers(0, len(_GRAIN) - len(x))
    noise = _GRAIN[at : at + len(x)] + colour.astype(np.float32) + sway.astype(np.float32)[:, None]
    return np.logaddexp(x, noise)
