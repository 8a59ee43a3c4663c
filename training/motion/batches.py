"""Batches of clips, made on the device that learns from them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from augment import Variation
from corpus import OUTPUTS
from data import UNITS, Array, Clip
from network import AHEAD
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SIZE = 20  # clips a batch
SHARE = 1.0  # of what is not a recording, an epoch
VARIED = 0.75  # of what is not a recording is varied
LEAD = 30  # frames of silence, at most, in front of a clip
SILENT = -12.0  # log-mel of nothing at all

# As in `realtime_avatar.face.spectrum`.
_PRIOR, _MEMORY = 100.0, 500.0
_FALL = 1 / 100 * np.log(10) / 10
_DEPTH = 30 * np.log(10) / 10
_QUIET = -4.0


def levelled(mels: Tensor, prior: Tensor) -> Tensor:
    """Return what `spectrum.Leveller` makes of log-mels, all frames at once.

    A mean that moves by a share of what is new is a weighted sum of all that was heard.

    Args:
        mels: Shape (clips, frames, 64).
        prior: Shape (clips, 64).
    """
    frames = mels.shape[1]
    loud = mels.exp().mean(2).log()
    fallen = _FALL * torch.arange(frames + 1, device=mels.device)
    peaks = torch.cat([prior.amax(1, keepdim=True), loud.clamp(min=_QUIET)], 1) + fallen
    level = (peaks.cummax(1).values - fallen)[:, 1:]
    speech = ((loud - level + _DEPTH) / _DEPTH * 2).clamp(0, 1)
    # Sums over time as products, for `cumsum` is not reproducible on a GPU.
    earlier = torch.ones(frames, frames, device=mels.device).triu()
    share = speech / (_PRIOR + speech @ earlier).clamp(max=_MEMORY)
    kept = torch.log1p(-share) @ earlier
    weight = (kept[:, :, None] - kept[:, None]).exp().tril() * share[:, None]
    mean = torch.baddbmm(kept.exp()[..., None] * prior[:, None], weight, mels)
    return (mels - mean).clamp(-7, 5) / 2


def heard(clip: Clip, prior: Array, device: str) -> Tensor:
    """Return what the network hears of one clip, shape (1, 64, 4 frames + 2 AHEAD)."""
    mels = functional.pad(torch.from_numpy(clip.mels), (0, 0, 0, 2 * AHEAD), value=SILENT)
    start = torch.from_numpy(prior)[None].to(device)
    return levelled(mels[None].to(device), start).transpose(1, 2)


class Batch(NamedTuple):
    """`mels` (clips, 64, 4 frames + 2 AHEAD), `labels` (clips, frames, outputs), `mask`
    (clips, frames), `trust` (clips, outputs)."""

    mels: Tensor
    labels: Tensor
    mask: Tensor
    trust: Tensor


class Batches:
    """An epoch's clips, those of nearly equal length side by side, varied anew each time.

    The bars are about the recordings: each is heard twice, once as it is; of everything
    else a share is drawn.
    """

    def __init__(
        self,
        recordings: list[Clip],
        others: list[Clip],
        rest: Array,
        prior: Array,
        seed: int,
        device: str,
    ) -> None:
        clips = [*recordings, *others]
        self._random = np.random.default_rng(seed)
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device, self._vary = device, Variation(self._generator)
        self._recordings, self._drawn = len(recordings), int(SHARE * len(others))
        self._lengths = np.array([len(c.labels) for c in clips])
        self._rest = torch.from_numpy(np.pad(rest, (0, len(OUTPUTS) - len(UNITS)))).to(device)
        self._prior = torch.from_numpy(prior).to(device)
        # All clips one after another, and where each begins.
        mels = [c.mels[: 4 * len(c.labels)].astype(np.float16) for c in clips]
        self._mels = torch.from_numpy(np.concatenate(mels)).to(device)
        self._labels = torch.from_numpy(np.concatenate([c.labels for c in clips])).to(device)
        self._trust = torch.from_numpy(np.stack([c.trust for c in clips])).to(device)
        self._starts = torch.from_numpy(np.cumsum(self._lengths) - self._lengths).to(device)

    def __len__(self) -> int:
        return -(-(2 * self._recordings + self._drawn) // SIZE)

    def __iter__(self) -> Iterator[Batch]:
        recordings = np.arange(self._recordings)
        others = len(self._lengths) - self._recordings
        drawn = self._recordings + self._random.choice(others, self._drawn, replace=False)
        order = np.concatenate([recordings, recordings, drawn])
        much = self._random.random(len(drawn)) < VARIED
        change = np.concatenate([recordings < 0, recordings >= 0, much])
        alike = np.argsort(self._lengths[order] + self._random.random(len(order)))
        starts = np.arange(0, len(order), SIZE)
        self._random.shuffle(starts)
        for start in starts:
            some = alike[start : start + SIZE]
            yield self._batch(order[some], change[some])

    def _batch(self, some: NDArray[np.int64], change: NDArray[np.bool_]) -> Batch:
        frames = int(self._lengths[some].max()) + LEAD
        rows, varied, length = (
            torch.from_numpy(x).to(self._device) for x in (some, change, self._lengths[some])
        )
        start, length = self._starts[rows][:, None], length[:, None]
        # The recordings begin at the same moment before a breath; nothing else does. Half a
        # frame more lets the network's other output learn, halfway between two labels.
        lead = self._integers(0, LEAD + 1, len(some), 1) * varied[:, None]
        half = self._integers(0, 2, len(some), 1) * varied[:, None]
        at = torch.arange(frames, device=self._device) - lead
        labels = self._labelled(start, at, length)
        labels = labels.lerp(self._labelled(start, at - 1, length), half[..., None] / 2)
        mask = (at < length).float()
        at = torch.arange(4 * frames + 2 * AHEAD, device=self._device) - 4 * lead - 2 * half
        quiet = self._integers(0, 8, *at.shape)
        mels = self._mels[4 * start + torch.where(at < 0, quiet, at.minimum(4 * length - 1))]
        mels = mels.float().masked_fill((at >= 4 * length)[..., None], SILENT)
        mels = self._vary(mels, varied)
        mels = levelled(mels, self._means(mels)).transpose(1, 2)
        return Batch(mels, labels, mask, self._trust[rows])

    def _labelled(self, start: Tensor, at: Tensor, length: Tensor) -> Tensor:
        labels = self._labels[start + at.clamp(min=0).minimum(length - 1)]
        return torch.where(at[..., None] < 0, self._rest, labels)

    def _integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=self._generator, device=self._device)

    def _means(self, mels: Tensor) -> Tensor:
        """Return means to begin with: as at the start of a stream, or well into one."""
        loud = mels.exp().mean(2).log()
        peak = loud.quantile(0.95, dim=1, keepdim=True)
        speech = (loud > peak - 25 * np.log(10) / 10).float()[..., None]
        own = (mels * speech).sum(1) / speech.sum(1)
        known = torch.rand(len(mels), 1, generator=self._generator, device=self._device)
        return self._prior + (1.6 * known - 0.6).clamp(min=0) * (own - self._prior)


def prior_of(clips: list[Clip]) -> Array:
    """Return the mean over speech of each band, shape (64,)."""
    mels = np.concatenate([c.mels for c in clips])
    loud = np.log(np.exp(mels).mean(1))
    return mels[loud > np.percentile(loud, 95) - 30 * np.log(10) / 10].mean(0)
