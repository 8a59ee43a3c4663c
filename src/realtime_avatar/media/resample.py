"""Changing the sample rate, of a stream or of a whole recording."""

from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from realtime_avatar.media.audio import Audio, Phoneme, join, to_int16


class Resampler:
    """Changes the rate of one stream of audio, chunk by chunk (soxr, high quality).

    Time is kept exactly: the output is consecutive, and after `flush` it has
    `rescale(samples, rate_in, rate)` samples. It lags some milliseconds behind the input,
    but every sample stays where it was in time. Words and phonemes go with the output
    that begins them.

    Args:
        rate: Of the output, Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._stream: soxr.ResampleStream | None = None
        self._rate_in = 0
        self._next_in = 0  # sample at which the next chunk has to start
        self._next_out = 0
        self._texts: list[tuple[int, str]] = []
        self._phonemes: list[Phoneme] = []

    def push(self, audio: Audio) -> Audio:
        """Take the next chunk; return what is ready, possibly nothing.

        Raises:
            ValueError: if it does not follow the chunk before or has another rate.
        """
        if not self._rate_in:
            self._rate_in, self._next_in = audio.rate, audio.start
            self._next_out = rescale(audio.start, audio.rate, self.rate)
            if audio.rate != self.rate:
                self._stream = soxr.ResampleStream(audio.rate, self.rate, 1, dtype="float32")
        if (audio.rate, audio.start) != (self._rate_in, self._next_in):
            raise ValueError(
                f"expected audio of {self._rate_in} Hz from sample {self._next_in}, "
                f"not of {audio.rate} Hz from {audio.start}"
            )
        self._next_in = audio.end
        if self._stream is None:
            return audio
        if audio.text:
            self._texts.append((self._scaled(audio.start), audio.text))
        for phoneme in audio.phonemes:
            start, end = self._scaled(phoneme.start), self._scaled(phoneme.end)
            self._phonemes.append(replace(phoneme, start=start, end=end))
        return self._out(self._stream.resample_chunk(audio.float32()), last=False)

    def flush(self) -> Audio:
        """Return the rest of the stream, which ends here. Call it once."""
        if self._stream is None:
            return Audio.silence(0, self.rate, self._next_in)
        tail = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return self._out(tail, last=True)

    def _scaled(self, sample: int) -> int:
        return rescale(sample, self._rate_in, self.rate)

    def _out(self, samples: NDArray[np.float32], *, last: bool) -> Audio:
        start, end = self._next_out, self._next_out + len(samples)
        texts = [text for at, text in self._texts if last or at < end]
        phonemes = [phoneme for phoneme in self._phonemes if last or phoneme.start < end]
        del self._texts[: len(texts)], self._phonemes[: len(phonemes)]
        self._next_out = end
        return Audio(to_int16(samples), self.rate, start, "".join(texts), tuple(phonemes))


def resample(audio: Audio, rate: int) -> Audio:
    """Return a whole recording at another rate.

    Args:
        audio: Of any rate.
        rate: Wanted, Hz.

    Returns:
        `rescale(audio.samples, audio.rate, rate)` samples; the start, words and phonemes
        stay where they were in time.
    """
    stream = Resampler(rate)
    return join([stream.push(audio), stream.flush()])


def rescale(samples: int, rate: int, to: int) -> int:
    """Return the count of samples at another rate, to the nearest, halves up as soxr does."""
    return (2 * samples * to + rate) // (2 * rate)
