"""Makes one talker sound like many, in ways that leave the motion what it was."""

from dataclasses import replace

import numpy as np
import soxr
import torch
from data import Array, Clip, stretched
from numpy.polynomial.legendre import legvander
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

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


class Variation:
    """Batches of log-mels as of other voices, microphones, noise, levels.

    Args:
        generator: Of what is done; all of it is done on its device.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator, self._device = generator, generator.device
        self._shifts = self._held(np.stack([_shift(f) for f in np.linspace(0.84, 1.22, 20)]))
        self._curves = self._held(legvander(np.linspace(-1, 1, BANDS), 4).T)
        # The power of noise in one band of one frame has few degrees of freedom; drawn once
        # and read from anywhere.
        self._grain = self._held(np.log(np.random.default_rng(1).gamma(4, 0.25, (8192, BANDS))))
        self._bands = torch.arange(BANDS, device=self._device)

    def __call__(self, mels: Tensor, change: Tensor) -> Tensor:
        """Return log-mels (clips, frames, 64), those where `change` (clips,) varied much."""
        little = mels + self._normal(0.5, len(mels), 1, 1)
        floor = mels.amin((1, 2), keepdim=True)
        x = self._recorded(self._shifted(mels), floor)
        return torch.where(change[:, None, None], self._missed(self._noisy(x), floor), little)

    def _shifted(self, x: Tensor) -> Tensor:
        """Another vocal tract."""
        which = self._integers(0, len(self._shifts), len(x), 1, 1)[:, 0, 0]
        moved = torch.bmm(x, self._shifts[which])
        return torch.where(self._chance(0.7, len(x), 1, 1), moved, x)

    def _recorded(self, x: Tensor, floor: Tensor) -> Tensor:
        """Another microphone: level, a smooth curve of up to +-10 dB, narrow bands."""
        curve = self._normal(0.9, len(x), 4) * self._chance(0.7, len(x), 1) @ self._curves[1:]
        x = x + self._normal(1.2, len(x), 1, 1) + curve[:, None]
        low, high = self._integers(0, 8, len(x), 1, 1), self._integers(44, BANDS, len(x), 1, 1)
        outside = (self._bands < low) | (self._bands >= high)
        return torch.where(outside & self._chance(0.15, len(x), 1, 1), floor, x)

    def _noisy(self, x: Tensor) -> Tensor:
        """Noise: none, a hiss or hum of any colour, some of it unsteady."""
        count, frames = x.shape[:2]
        clean = torch.maximum(x, self._uniform(-16, -8, count, 1, 1))
        loud = x.exp().mean(2).log().quantile(0.9, dim=1, keepdim=True)
        loud = loud - self._uniform(12, 40, count, 1) * np.log(10) / 10
        tilt = self._normal(1.2, count, 3) @ (self._curves[1:4] * self._held([[1], [1], [0.5]]))
        wander = self._normal(1, count, 1, 8) * self._uniform(0, 0.8, count, 1, 1)
        sway = functional.interpolate(wander, frames, mode="linear", align_corners=True)
        at = self._integers(0, len(self._grain) - frames, count, 1)
        grain = self._grain[at + torch.arange(frames, device=self._device)]
        noise = grain + (loud + tilt)[:, None] + sway.transpose(1, 2)
        return torch.where(self._chance(0.4, count, 1, 1), clean, torch.logaddexp(x, noise))

    def _missed(self, x: Tensor, floor: Tensor) -> Tensor:
        """A moment that is not heard, some bands that are not."""
        count, frames = x.shape[:2]
        some = self._chance(0.3, count, 1, 1)
        times = torch.arange(frames, device=self._device)[:, None]
        x = torch.where(some & self._within(times, frames - 30, 12, count), floor, x)
        lost = some & self._within(self._bands, BANDS - 8, 9, count)
        mean = (x * lost).sum(2, keepdim=True) / lost.sum(2, keepdim=True).clamp(min=1)
        return torch.where(lost, mean, x)

    def _within(self, axis: Tensor, last: int, longest: int, count: int) -> Tensor:
        """Return where a stretch lies, for each clip, that begins before `last`."""
        first = self._integers(0, last, count, 1, 1)
        return (axis >= first) & (axis < first + self._integers(2, longest, count, 1, 1))

    def _held(self, values: ArrayLike) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(self._device)

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        drawn = torch.rand(shape, generator=self._generator, device=self._device)
        return low + (high - low) * drawn

    def _normal(self, spread: float, *shape: int) -> Tensor:
        return spread * torch.randn(shape, generator=self._generator, device=self._device)

    def _integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=self._generator, device=self._device)

    def _chance(self, share: float, *shape: int) -> Tensor:
        return self._uniform(0, 1, *shape) < share
