"""Recordings of talking people whose faces were measured, as `avatar eval face` wants them.

A folder of them holds `speech.flac`, 16 kHz mono, all clips one after another, 640 samples
a video frame; and `blendshapes.npz` with `scores` float16 (frames, 52), MediaPipe
FaceLandmarker's blend shape scores at 25 fps, `_neutral` first; `clips` int32 (clips, 2),
first frame and number of frames of each; and `names` (clips,).
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.motion import ARKIT
from realtime_avatar.media.read import read_audio

FPS: Final = 25
RATE: Final = 16_000
HELD_OUT: Final = 90
"""Clips that the motion network was never trained on: `training/motion/data.py`, `split`."""

_SEED = 2006
_LONGEST = 24 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    Attributes:
        name: As the folder says.
        audio: 16 kHz.
        labels: float32, shape (frames, 52): what was seen on the person, columns as in
            `ARKIT`; the tongue was not measured.
    """

    name: str
    audio: Audio
    labels: NDArray[np.float32]


def read_recordings(folder: Path) -> list[Clip]:
    """Read a folder of the layout above.

    Raises:
        InputError: if something is missing or does not fit together.
    """
    sound = read_audio(folder / "speech.flac", rate=RATE, max_seconds=_LONGEST)
    try:
        with np.load(folder / "blendshapes.npz") as held:
            scores = held["scores"].astype(np.float32)
            clips, names = held["clips"].tolist(), [str(name) for name in held["names"]]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder / 'blendshapes.npz'} cannot be read: {error}") from error
    size = RATE // FPS
    if scores.ndim != 2 or scores.shape[1] != len(ARKIT):
        raise InputError(f"{folder} must hold 52 scores a frame, `_neutral` first")
    if len(scores) * size > sound.samples + size:
        raise InputError(f"{folder / 'speech.flac'} is shorter than its {len(scores)} frames")
    labels = np.concatenate([scores[:, 1:], np.zeros_like(scores[:, :1])], 1)
    return [
        Clip(
            name,
            Audio(sound.pcm[first * size : (first + frames) * size], RATE, 0),
            labels[first : first + frames],
        )
        for name, (first, frames) in zip(names, clips, strict=True)
    ]


def held_out(clips: list[Clip]) -> list[Clip]:
    """Return the clips to report on: by clip, always the same."""
    order = np.random.default_rng(_SEED).permutation(len(clips))
    return [clips[i] for i in order[:HELD_OUT]]
