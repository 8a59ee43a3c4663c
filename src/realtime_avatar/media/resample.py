"""Changing the sample rate, of a stream or of a whole recording."""

from dataclasses import replace
from typing import Protocol

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from realtime_avatar.media.audio import Audio, Phoneme, join, to_int16


class Resampler:
    """Changes the rate of one stream of audio, chunk by chunk.

    Time is kept exactly: the output is consecutive, and after `flush` it has
    `rescale(samples, rate_in, rate)` samples. It lags behind the input, but every sample
    stays where it was in time. Words and phonemes go with the output that begins them.

    Args:
        rate: Of the output, Hz.
        prompt: With a lag of 1 ms (FFmpeg's resampler), for what is live: the uppermost tenth
            of the band is weaker then, and what is just above it not quite gone. Otherwise
            20 to 40 ms, and nothing is lost (soxr, high quality).
    """

    def __init__(self, rate: int, *, prompt: bool = False) -> None:
        self.rate, self._prompt = rate, prompt
        self._stream: _Stream | None = None
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
                self._stream = (_Prompt if self._prompt else _Soxr)(audio.rate, self.rate)
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
        return self._out(self._stream.push(audio.pcm), last=False)

    def flush(self) -> Audio:
        """Return the rest of the stream, which ends here. Call it once."""
        if self._stream is None:
            return Audio.silence(0, self.rate, self._next_in)
        return self._out(self._stream.flush(), last=True)

    def _scaled(self, sample: int) -> int:
        return rescale(sample, self._rate_in, self.rate)

    def _out(self, pcm: NDArray[np.int16], *, last: bool) -> Audio:
        start, end = self._next_out, self._next_out + len(pcm)
        texts = [text for at, text in self._texts if last or at < end]
        phonemes = [phoneme for phoneme in self._phonemes if last or phoneme.start < end]
        del self._texts[: len(texts)], self._phonemes[: len(phonemes)]
        self._next_out = end
        return Audio(pcm, self.rate, start, "".join(texts), tuple(phonemes))


class _Stream(Protocol):
    """A library's resampler of one stream, mono int16."""

    def __init__(self, rate_in: int, rate: int) -> None: ...

    def push(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]: ...

    def flush(self) -> NDArray[np.int16]: ...


class _Soxr:
    def __init__(self, rate_in: int, rate: int) -> None:
        self._stream = soxr.ResampleStream(rate_in, rate, 1, dtype="float32")

    def push(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        return to_int16(self._stream.resample_chunk(pcm / np.float32(32768)))

    def flush(self) -> NDArray[np.int16]:
        return to_int16(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))


class _Prompt:
    def __init__(self, rate_in: int, rate: int) -> None:
        self._rate_in, self._rate = rate_in, rate
        self._in = self._out = 0
        self._stream = av.AudioResampler("s16", "mono", rate)

    def push(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        if not len(pcm):
            return pcm
        self._in += len(pcm)
        frame = av.AudioFrame.from_ndarray(pcm[None], "s16", "mono")
        frame.sample_rate = self._rate_in
        return self._taken(frame)

    def flush(self) -> NDArray[np.int16]:
        due = rescale(self._in, self._rate_in, self._rate) - self._out
        tail = self._taken(None)[:due]  # which may be one sample too long or too short
        return np.pad(tail, (0, due - len(tail)))

    def _taken(self, frame: av.AudioFrame | None) -> NDArray[np.int16]:
        parts = [part.to_ndarray()[0].astype(np.int16) for part in self._stream.resample(frame)]
        pcm = np.concatenate([np.zeros(0, np.int16), *parts])
        self._out += len(pcm)
        return pcm


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
