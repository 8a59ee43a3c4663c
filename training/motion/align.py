"""Carries real motion over to synthetic speech of the same words, and phonemes back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from data import Array, Clip
from numpy.typing import NDArray
from scipy.fft import dct

from realtime_avatar.face.spectrum import Leveller
from realtime_avatar.face.visemes import ARTICULATIONS, articulate
from realtime_avatar.media.audio import Phoneme

STEP = 160  # samples of 16 kHz between two frames of the alignment
SPEED = (0.5, 0.0, 0.25, 0.6)  # cost of going on by 0, 1, 2, 3 frames in one


def spoken(folder: Path) -> list[tuple[dict, Array, list[Phoneme]]]:
    """Read what `speech.py` wrote: the line, its sound at 16 kHz, its phonemes."""
    found = []
    for path in sorted(folder.glob("*.json")):
        line = json.loads(path.read_text("utf-8"))
        if not path.with_suffix(".flac").exists():
            continue
        pcm, _ = soundfile.read(path.with_suffix(".flac"), dtype="float32")
        found.append((line, pcm, [Phoneme(*p) for p in line["phonemes"]]))
    return found


def cepstra(mels: Array, prior: Array) -> Array:
    """Return what two voices that say the same have in common, shape (frames, 13)."""
    c = dct(Leveller(prior).level(mels[None])[0], norm="ortho", axis=1)[:, :13]
    loud = c[:, 0] > np.percentile(c[:, 0], 95) - 14
    return (c - c[loud].mean(0)) / (c[loud].std(0) + 0.1)


def warp(real: Array, synthetic: Array) -> NDArray[np.float64]:
    """Return for each frame of `synthetic` the frame of `real` that says the same.

    Subsequence dynamic time warping (Mueller 2007): before and after may be anything.
    """
    cost = np.sqrt(np.square(synthetic[:, None] - real[None]).sum(2))
    total = cost[0].copy()
    came = np.zeros(cost.shape, np.int64)
    for i in range(1, len(synthetic)):
        ways = np.full((len(SPEED), len(real)), np.inf)
        for step, price in enumerate(SPEED):
            ways[step, step:] = total[: len(real) - step] + price
        came[i] = ways.argmin(0)
        total = ways.min(0) + cost[i]
    at = int(total.argmin())
    path = np.zeros(len(synthetic))
    for i in range(len(synthetic) - 1, -1, -1):
        path[i] = at
        at -= came[i, at]
    smooth = np.convolve(np.pad(path, 3, mode="edge"), np.ones(7) / 7, "valid")
    return np.maximum.accumulate(smooth)


def transfer(
    clip: Clip, pcm: Array, phonemes: list[Phoneme], prior: Array
) -> tuple[Clip, list[Phoneme], float]:
    """Align synthetic speech with the recording of the same words.

    Returns:
        The synthetic speech, with silence around it, moving as the recording does; the
        phonemes at the times of the recording; how far the speeds differ.
    """
    first = phonemes[0].start // STEP
    last = min(phonemes[-1].end, len(pcm)) // STEP
    pcm = pcm[first * STEP : last * STEP]
    other = replace(clip, pcm=pcm)
    path = warp(cepstra(clip.mels, prior), cepstra(other.mels, prior))
    start, end = int(path[0]), int(path[-1]) + 1
    frames = 4 * len(clip.labels)
    at = np.concatenate([np.arange(start), path, np.arange(end, frames)])
    count = len(at) // 4
    middles = np.interp(np.arange(count) * 4 + 1.5, np.arange(len(at)), at) / 4 - 3 / 8
    labels = np.stack(
        [np.interp(middles, np.arange(len(clip.labels)), c) for c in clip.labels.T], 1
    )
    whole = np.zeros(count * 640, np.float32)
    room = whole[start * STEP :][: len(pcm)]
    room[:] = pcm[: len(room)]
    moved = [
        Phoneme(p.symbol, *(int(np.interp(t / STEP - first, np.arange(len(path)), path) * STEP)
                            for t in (p.start, p.end)))
        for p in phonemes
    ]  # fmt: skip
    pace = float(np.std(np.log(np.maximum(np.diff(path[::10]) / 10, 0.1))))
    return replace(clip, pcm=whole, labels=labels.astype(np.float32)), moved, pace


def lips(phonemes: list[Phoneme], frames: int) -> Array:
    """Return the articulations, shape (frames, 6), at the middle of each frame of 40 ms."""
    if not phonemes:
        return np.zeros((frames, len(ARTICULATIONS)), np.float32)
    return articulate(phonemes, 16_000, (np.arange(frames) + 0.5) / 25)
