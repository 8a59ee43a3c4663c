"""The recordings that a live benchmark speaks, and where exactly speech is in them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media.audio import Audio, to_int16
from realtime_avatar.media.read import read_audio, refuse_silence

RATE: Final = 48_000
"""Of everything that is sent and received, Hz."""

HOP: Final = 240
"""Samples of one level: 5 ms."""

ROOM: Final = -72.0
"""Level of the noise in the room where nobody speaks, dB of full scale, RMS."""

_MAX_SECONDS = 60
_SMOOTH = 4  # hops that a level is taken over when speech is looked for
_BELOW, _ABOVE = 35.0, 12.0  # dB: under loud speech, over the recording's own noise
_LEAD, _TAIL, _FADE = RATE // 10, RATE // 5, RATE // 20  # samples kept around speech


@dataclass(frozen=True, slots=True)
class Question:
    """One recording, 48 kHz mono.

    Attributes:
        name: Of the file.
        pcm: int16, shape (samples,): speech with a little of what was around it, faded out.
        first: First sample of speech.
        last: Last one.
    """

    name: str
    pcm: NDArray[np.int16]
    first: int
    last: int


def levels(pcm: NDArray[np.int16], hop: int = HOP) -> NDArray[np.float32]:
    """Return the RMS level of every whole `hop` samples, in [0, 1]."""
    whole = pcm[: len(pcm) // hop * hop].reshape(-1, hop).astype(np.float32) / 32768
    return np.sqrt((whole**2).mean(1))


def decibels(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return levels in dB of full scale."""
    return (20 * np.log10(np.maximum(level, 1e-6))).astype(np.float32)


def speech_bounds(pcm: NDArray[np.int16]) -> tuple[int, int]:
    """Return the first and last sample of speech by its energy.

    Speech is what is within 35 dB of the loud parts and at least 12 dB above the quiet
    ones, over 20 ms. No detector is asked: what is measured is how long detectors and
    all that follows take from here.
    """
    level = levels(pcm) ** 2
    smooth = decibels(np.sqrt(np.convolve(level, np.full(_SMOOTH, 1 / _SMOOTH), "valid")))
    loud, quiet = np.percentile(smooth, 95), np.percentile(smooth, 5)
    speech = np.flatnonzero(smooth > min(max(loud - _BELOW, quiet + _ABOVE), loud - 6))
    return int(speech[0]) * HOP, (int(speech[-1]) + _SMOOTH) * HOP - 1


def read_question(path: Path) -> Question:
    """Read a recording and find the speech in it.

    Raises:
        InputError: if it is no recording, too long, or silent.
    """
    audio = read_audio(path, rate=RATE, max_seconds=_MAX_SECONDS)
    refuse_silence(audio, path)
    if audio.samples < RATE // 4:
        raise InputError(f"{path} is too short for a question")
    first, last = speech_bounds(audio.pcm)
    start, end = max(0, first - _LEAD), min(audio.samples, last + 1 + _TAIL)
    pcm = audio.pcm[start:end].astype(np.float32)
    # A recording's own noise must not end with a step: a microphone never does that.
    fade = min(_FADE, end - last - 1)
    if fade:
        pcm[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    rise = min(_FADE, first - start)
    if rise:
        pcm[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    return Question(path.name, np.rint(pcm).astype(np.int16), first - start, last - start)


def room(samples: int, seed: int = 0) -> NDArray[np.int16]:
    """Return the noise of a quiet room."""
    noise = np.random.default_rng(seed).standard_normal(samples).astype(np.float32)
    return to_int16(noise * np.float32(10 ** (ROOM / 20)))


def with_room(pcm: NDArray[np.int16], seed: int = 0) -> Audio:
    """Return sound heard in the room."""
    mixed = pcm.astype(np.int32) + room(len(pcm), seed)
    return Audio(np.clip(mixed, -32768, 32767).astype(np.int16), RATE, 0)
