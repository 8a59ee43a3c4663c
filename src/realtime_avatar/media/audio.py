"""Mono sound whose time is a count of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

Emotion = Literal["neutral", "warm", "happy", "concerned", "surprised", "sad"]
"""What a face may look like while something is said."""

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One speech sound.

    Attributes:
        symbol: IPA.
        start: First sample, counted like `Audio.start`.
        end: First sample after it.
    """

    symbol: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Audio:
    """A stretch of mono sound.

    Attributes:
        pcm: int16, shape (samples,).
        rate: Samples a second, Hz.
        start: Samples since the stream (a turn, a recording) began.
        text: The words that this stretch begins to speak.
        phonemes: The sounds that start in it, where the voice knows them.
        emotion: How it is meant, one of `EMOTIONS`; empty: as before.
    """

    pcm: NDArray[np.int16]
    rate: int
    start: int
    text: str = ""
    phonemes: tuple[Phoneme, ...] = ()
    emotion: str = ""

    @classmethod
    def silence(cls, samples: int, rate: int, start: int = 0) -> Self:
        """Return `samples` samples of nothing."""
        return cls(np.zeros(samples, np.int16), rate, start)

    @property
    def samples(self) -> int:
        return len(self.pcm)

    @property
    def end(self) -> int:
        """First sample after this stretch."""
        return self.start + len(self.pcm)

    @property
    def seconds(self) -> float:
        """Duration, for people to read; never for arithmetic on time."""
        return len(self.pcm) / self.rate

    def after(self, sample: int) -> Self:
        """Return what begins at a sample, counted like `start`; text that was cut is over."""
        if sample <= self.start:
            return self
        return replace(
            self,
            pcm=self.pcm[sample - self.start :],
            start=sample,
            text="",
            phonemes=tuple(phoneme for phoneme in self.phonemes if phoneme.start >= sample),
        )

    def float32(self) -> NDArray[np.float32]:
        """Return the samples as float32 in [-1, 1)."""
        return self.pcm.astype(np.float32) / np.float32(32768)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return float samples, nominally in [-1, 1], as int16, clipped."""
    return np.clip(np.rint(samples * np.float32(32768)), -32768, 32767).astype(np.int16)


def join(chunks: Sequence[Audio]) -> Audio:
    """Return consecutive chunks of one stream as one.

    Raises:
        ValueError: if there are none, or their rates differ.
    """
    if not chunks:
        raise ValueError("no audio to join")
    if len({chunk.rate for chunk in chunks}) > 1:
        raise ValueError("cannot join audio of different rates")
    return replace(
        chunks[0],
        pcm=np.concatenate([chunk.pcm for chunk in chunks]),
        text="".join(chunk.text for chunk in chunks),
        phonemes=tuple(p for chunk in chunks for p in chunk.phonemes),
    )
