"""A stream of sound cut into the stretches that are heard during one picture each."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.media.audio import Audio, Phoneme


class FrameCutter:
    """Cuts consecutive audio, in chunks of any length, into frames of equal length.

    Text and phonemes stay with the sample that they came with.

    Args:
        fps: Frames a second; it must divide the audio's rate.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._rate = self._size = self._start = 0
        self._pcm: NDArray[np.int16] = np.zeros(0, np.int16)
        self._texts: list[tuple[int, str]] = []
        self._phonemes: list[Phoneme] = []

    def push(self, audio: Audio) -> Iterator[Audio]:
        """Take audio in; yield the frames that are whole.

        Raises:
            ConfigError: if the rate is not a whole number of samples a frame.
            InputError: if the rate changes.
        """
        if not self._rate:
            if audio.rate % self._fps:
                raise ConfigError(f"{audio.rate} Hz cannot be cut into {self._fps} frames a second")
            self._rate, self._size = audio.rate, audio.rate // self._fps
            self._start = audio.start
        if audio.rate != self._rate:
            raise InputError(f"the sound changes from {self._rate} to {audio.rate} Hz")
        if audio.text:
            self._texts.append((audio.start, audio.text))
        self._phonemes += audio.phonemes
        self._pcm = np.concatenate([self._pcm, audio.pcm])
        while len(self._pcm) >= self._size:
            yield self._cut()

    def finish(self) -> Iterator[Audio]:
        """Yield what is left, filled up with silence."""
        if len(self._pcm):
            self._pcm = np.pad(self._pcm, (0, self._size - len(self._pcm)))
            yield self._cut()

    def _cut(self) -> Audio:
        pcm, self._pcm = self._pcm[: self._size], self._pcm[self._size :]
        start, end = self._start, self._start + self._size
        text = "".join(text for at, text in self._texts if at < end)
        self._texts = [(at, text) for at, text in self._texts if at >= end]
        phonemes = tuple(phoneme for phoneme in self._phonemes if phoneme.start < end)
        self._phonemes = [phoneme for phoneme in self._phonemes if phoneme.start >= end]
        self._start = end
        return Audio(pcm, self._rate, start, text, phonemes)


async def frames_of(audio: AsyncIterable[Audio], fps: int) -> AsyncGenerator[Audio]:
    """Cut a stream of audio into frames; see `FrameCutter`."""
    cutter = FrameCutter(fps)
    async for chunk in audio:
        for frame in cutter.push(chunk):
            yield frame
    for frame in cutter.finish():
        yield frame
