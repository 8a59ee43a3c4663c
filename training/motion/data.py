"""Recordings with motion: reading them, splitting them, and what is told apart in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from realtime_avatar.face.spectrum import HOP, RATE, log_mel
from realtime_avatar.media.motion import ARKIT

Array = NDArray[np.float32]

# What speech moves; the rest of the face is life.py's.
UNITS = tuple(name for name in ARKIT if name.startswith(("jaw", "mouth", "cheekPuff")))
COLUMNS = np.array([ARKIT.index(name) for name in UNITS])


@dataclass(frozen=True)
class Clip:
    """One utterance.

    Attributes:
        name: Of the clip; that of a clip of the GRID corpus spells its words.
        pcm: 16 kHz, float32 in [-1, 1], 640 samples a frame.
        labels: float32, shape (frames, units): weights at 25 fps.
        trust: float32, shape (units,): weight of each unit in the loss.
        motion: Name of the recording whose motion it has, if it is none itself.
    """

    name: str
    pcm: Array
    labels: Array
    trust: Array
    motion: str = ""

    @property
    def mels(self) -> Array:
        return log_mel(np.pad(self.pcm, (240, 0)))


def read(folder: Path) -> list[Clip]:
    """Read a folder of the layout that the README describes."""
    pcm, rate = soundfile.read(folder / "speech.flac", dtype="float32")
    assert rate == RATE
    held = np.load(folder / "blendshapes.npz")
    # MediaPipe's scores have `_neutral` in front and no tongue.
    scores = held["scores"].astype(np.float32)[:, COLUMNS + 1]
    trust = np.ones(len(UNITS), np.float32)
    size = RATE // 25
    return [
        Clip(
            str(name),
            pcm[first * size : (first + frames) * size],
            scores[first : first + frames],
            trust,
        )
        for name, (first, frames) in zip(held["names"], held["clips"], strict=True)
    ]


def split(clips: list[Clip]) -> tuple[list[Clip], list[Clip], list[Clip]]:
    """Return clips to train on, to choose by and to report on: by clip, always the same."""
    order = np.random.default_rng(2006).permutation(len(clips))
    held = [clips[i] for i in order]
    return held[150:], held[90:150], held[:90]


def rest(clips: list[Clip]) -> Array:
    """Return the labels' values, shape (units,), of the silent face: the median over
    the frames whose last 200 ms and next 80 ms are quiet."""
    quiet: list[Array] = []
    for clip in clips:
        power = np.square(clip.pcm).reshape(-1, HOP * 4).mean(1)
        loud = power > 10 ** (-35 / 10)
        near = np.convolve(loud, np.ones(8), "full")[2 : 2 + len(loud)] > 0
        quiet.append(clip.labels[~near])
    return np.median(np.concatenate(quiet), 0)


def stretched(labels: Array, speed: float, frames: int) -> Array:
    """Return labels of the same motion at another speed, shape (frames, units)."""
    at = (np.arange(frames) + 0.5) * speed - 0.5
    return np.stack(
        [np.interp(at, np.arange(len(labels)), column) for column in labels.T], 1
    ).astype(np.float32)
