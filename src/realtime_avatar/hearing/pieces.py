"""Cutting a stream into pieces of speech that a recogniser can take at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.ports import SpeechEnd, SpeechStart
from realtime_avatar.hearing.activity import RATE, Activity, Limits
from realtime_avatar.hearing.silero import SpeechProbability
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.resample import Resampler, rescale

LONGEST: Final = 25 * RATE
"""Samples of speech in one piece: Whisper takes 30 s, and wants some seconds of silence."""

SEARCH: Final = 10 * RATE  # how far back the cut in endless speech may fall
QUIET: Final = RATE // 6  # it falls into the quietest stretch as long as this
MARGIN: Final = RATE * 3 // 10  # kept before and after the speech, for soft sounds

# What is said may be short ("Yes.") and have pauses that do not end it.
LIMITS: Final = Limits(min_speech=RATE // 8, min_silence=2 * RATE, padding=0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Speech without a long pause in it.

    Attributes:
        samples: float32 in [-1, 1], shape (samples,), 16 kHz, less than 26 s; a little of
            what is before and after the speech is in it.
        start: First sample of the speech, counted like `Audio.start` of the stream.
        end: First sample after it.
        begin: First of `samples`, counted likewise.
        rate: Of the stream, Hz.
    """

    samples: NDArray[np.float32]
    start: int
    end: int
    begin: int
    rate: int

    def at(self, sample: int) -> int:
        """Return which sample of the speech one of `samples` is, counted like `start`."""
        return min(max(self.begin + rescale(sample, RATE, self.rate), self.start), self.end)


class Cutter:
    """Cuts one stream at its long pauses, and speech that has none where it is quietest.

    No more is held than the speech since the last cut: half a minute at most.

    Args:
        probability: Of speech; a fresh one.
        rate: Of the stream, Hz.
        origin: First sample of the stream.
    """

    def __init__(self, probability: SpeechProbability, rate: int, origin: int) -> None:
        self._probability = probability
        self._rate = rate
        self._resampler = Resampler(RATE)
        # From here on samples are counted at 16 kHz.
        self._first = rescale(origin, rate, RATE)  # which sample is held first
        self._held = np.zeros(0, np.int16)
        self._activity = Activity(LIMITS, self._first)
        self._open: int | None = None  # first sample of the speech since the last cut
        self._from = self._first  # first sample of the piece to come, margin included

    def push(self, audio: Audio) -> list[Piece]:
        """Take the next part of the stream; return the pieces that it brings to an end."""
        return self._take(self._resampler.push(audio))

    def peek(self) -> Piece | None:
        """Return the speech since the last cut, if it pauses.

        Unless it goes on, the piece that `push` or `flush` returns for it is the same.
        """
        pause = self._activity.reach
        if self._open is None or self._first + len(self._held) - pause < MARGIN:
            return None
        return self._piece(self._open, pause, MARGIN)

    def flush(self) -> list[Piece]:
        """Return what is left of the stream, which ends here. Call it once."""
        pieces = self._take(self._resampler.flush())
        pieces += self._cut(self._probability.flush())
        if last := self._activity.finish(self._first + len(self._held)):
            pieces.append(self._close(last.at, MARGIN))
        return pieces

    def _take(self, sound: Audio) -> list[Piece]:
        self._held = np.concatenate([self._held, sound.pcm])
        pieces = self._cut(self._probability.push(sound.float32()))
        wanted = self._activity.keep - MARGIN if self._open is None else self._from
        if (done := wanted - self._first) > 0:
            self._held = self._held[done:].copy()
            self._first = wanted
        return pieces

    def _cut(self, figures: NDArray[np.float32]) -> list[Piece]:
        pieces: list[Piece] = []
        for figure in figures:
            event = self._activity.push(float(figure))
            if isinstance(event, SpeechStart):
                self._open = event.at
                self._from = max(self._first, event.at - MARGIN)
            elif isinstance(event, SpeechEnd):
                pieces.append(self._close(event.at, MARGIN))
            elif self._open is not None and self._activity.reach - self._open > LONGEST:
                cut = self._quietest(self._activity.reach)
                pieces.append(self._close(cut, 0))
                self._open = self._from = cut
        return pieces

    def _close(self, end: int, margin: int) -> Piece:
        assert self._open is not None
        piece = self._piece(self._open, end, margin)
        self._open = None
        return piece

    def _piece(self, start: int, end: int, margin: int) -> Piece:
        pcm = self._held[self._from - self._first : end + margin - self._first]
        samples = pcm.astype(np.float32) / np.float32(32768)
        start, end, begin = (rescale(at, RATE, self._rate) for at in (start, end, self._from))
        return Piece(samples, start, end, begin, self._rate)

    def _quietest(self, before: int) -> int:
        """Return the middle of the quietest stretch of the last seconds before a sample."""
        pcm = self._held[before - SEARCH - self._first : before - self._first]
        energy = np.cumsum(pcm.astype(np.float64) ** 2)
        at = int(np.argmin(energy[QUIET:] - energy[:-QUIET]))
        return before - SEARCH + at + QUIET // 2
