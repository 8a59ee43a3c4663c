"""Whether a recording is good enough to learn a voice from, and what would do better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import to_int16
from realtime_avatar.voice.overlap import overlap
from realtime_avatar.voice.speakers import Ge2e

SHORTEST: Final = 2.0
"""Seconds of speech below which there is no telling whose voice it is."""
ENOUGH: Final = 10.0
"""Seconds of speech that are asked for."""
LONGEST: Final = 30.0
"""Seconds of speech that are used."""

_FRAME: Final = 320  # samples of 16 kHz, 20 ms
_CLIPPED: Final = (0.0005, 0.02)  # share of samples: told, refused
_NOISE: Final = (20.0, 8.0)  # dB that speech is above what is between: told, refused
_LEVEL: Final = (-36.0, -55.0)  # dB of speech re full scale: told, refused
_SPEAKERS: Final = 0.72  # cosine of two groups of windows below which they are two people
_BOTH: Final = 0.18  # share of voiced frames with two pitches: told
_TONAL: Final = 0.5  # share of the power that the strongest bins hold in a tone
_TARGET: Final = 0.07  # root mean square of speech that is kept, -23 dBFS


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording that can be used.

    Attributes:
        audio: Its speech, pauses shortened, levelled, 16 kHz.
        remarks: One sentence for each thing that a better recording would do better.
        figures: What was measured: `seconds` of speech, `noise` and `level` in dB, `clipped`,
            `overlap`.
    """

    audio: Audio
    remarks: tuple[str, ...]
    figures: dict[str, float]


def examine(audio: Audio, speech: Sequence[tuple[int, int]], encoder: Ge2e) -> Sample:
    """Return what a voice can be learned from.

    Args:
        audio: 16 kHz, the whole recording.
        speech: First sample and first after it of each stretch of speech.
        encoder: That tells voices apart.

    Raises:
        InputError: if it is of no use, and what to do.
    """
    sound = audio.float32()
    sound -= sound.mean()
    seconds = sum(end - start for start, end in speech) / audio.rate
    if seconds < SHORTEST:
        _refuse(sound, seconds)
    spoken = np.concatenate([sound[start:end] for start, end in speech])
    between = _between(sound, speech)
    level = _decibels(spoken)
    noise = level - _decibels(between)
    clipped = _clipped(audio.pcm)
    if level < _LEVEL[1]:
        raise InputError("the voice is too quiet to learn from; speak closer to the microphone")
    if clipped > _CLIPPED[1]:
        raise InputError(
            "the recording is distorted because it is too loud; turn the microphone down, or"
            " move away from it a little"
        )
    if noise < _NOISE[1]:
        raise InputError(
            "there is as much noise or music as voice; record again in a quiet room, without music"
        )
    spoken = spoken[: int(LONGEST * audio.rate)]
    kept = Audio(to_int16(spoken * np.float32(_TARGET / _level(spoken))), audio.rate, 0)
    if _several(encoder.windows(kept)):
        raise InputError("more than one person speaks; record the one whose voice it is alone")
    both = overlap(kept.float32())
    remarks = [
        words
        for true, words in (
            (
                seconds < ENOUGH,
                f"There are {seconds:.0f} seconds of speech; with ten to thirty the voice is met"
                " more surely.",
            ),
            (level < _LEVEL[0], "The voice is quiet; speak closer to the microphone."),
            (clipped > _CLIPPED[0], "The loudest parts are cut off; turn the microphone down."),
            (
                both > _BOTH,
                "A second voice seems to be heard behind the first; record one person alone.",
            ),
            (noise < _NOISE[0], "There is noise behind the voice; a quieter room does better."),
            (seconds > LONGEST, "Only the first thirty seconds of speech are used."),
        )
        if true
    ]
    figures = {"seconds": seconds, "noise": noise, "level": level, "clipped": clipped}
    figures["overlap"] = both
    return Sample(kept, tuple(remarks), figures)


def _refuse(sound: NDArray[np.float32], seconds: float) -> None:
    if seconds >= 0.3:
        raise InputError(
            f"there are only {seconds:.1f} seconds of speech; read ten to thirty seconds aloud"
        )
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))
    strongest = np.sort(power)[::-1][: max(1, len(power) // 200)]
    if strongest.sum() > _TONAL * power.sum():
        raise InputError("a tone or music is heard, but no voice; record somebody who speaks")
    raise InputError("nobody is heard to speak; read ten to thirty seconds aloud")


def _between(sound: NDArray[np.float32], speech: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """Return what is heard while nobody speaks: the quietest frames, if speech leaves no more."""
    outside = np.ones(len(sound), bool)
    for start, end in speech:
        outside[start:end] = False
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.square(frames).mean(axis=1)
    quiet = outside[: frames.size].reshape(-1, _FRAME).all(axis=1)
    if quiet.sum() >= 10:
        # Coughs and clicks between words are no noise behind them.
        return frames[quiet & (levels <= np.quantile(levels[quiet], 0.9))].ravel()
    return frames[levels <= np.quantile(levels, 0.05)].ravel()


def _level(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(sound).mean() + 1e-12))


def _decibels(sound: NDArray[np.float32]) -> float:
    return 20 * float(np.log10(_level(sound)))


def _clipped(pcm: NDArray[np.int16]) -> float:
    """Return the share of samples in runs of at least three that stand at the recording's peak."""
    height = np.abs(pcm.astype(np.int32))
    at_peak = height >= max(int(height.max()) - 1, 1)
    runs = at_peak[2:] & at_peak[1:-1] & at_peak[:-2]
    return float(runs.mean()) if len(runs) and height.max() > 8000 else 0.0


def _several(windows: NDArray[np.float32]) -> bool:
    """Tell whether windows of 1.6 s are of two people, by two groups of them (2-means)."""
    if len(windows) < 4:
        return False  # too few to tell
    alike = windows @ windows.T
    first, second = np.unravel_index(np.argmin(alike), alike.shape)
    centres = windows[[first, second]]
    for _ in range(10):
        nearest = np.argmax(windows @ centres.T, axis=1)
        if min(np.bincount(nearest, minlength=2)) < 2:
            return False
        centres = np.stack([windows[nearest == group].mean(axis=0) for group in (0, 1)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return float(centres[0] @ centres[1]) < _SPEAKERS
