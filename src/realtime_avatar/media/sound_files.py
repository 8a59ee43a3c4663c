"""Speech as a file of sound, encoded while it is being spoken."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
from av.audio.frame import AudioFrame

from realtime_avatar.media.audio import Audio
from realtime_avatar.media.resample import Resampler


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """One kind of file.

    Attributes:
        mime: Its type.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        rate: Sample rate, Hz.
        bits: A second; None where nothing is lost.
    """

    mime: str
    container: str
    codec: str
    rate: int = 24_000
    bits: int | None = None


FORMATS: Final = {
    "mp3": SoundFormat("audio/mpeg", "mp3", "libmp3lame", bits=96_000),
    "opus": SoundFormat("audio/ogg", "ogg", "libopus", 48_000, 48_000),
    "aac": SoundFormat("audio/aac", "adts", "aac", bits=96_000),
    "flac": SoundFormat("audio/flac", "flac", "flac"),
    "wav": SoundFormat("audio/wav", "wav", "pcm_s16le"),
    "pcm": SoundFormat("audio/pcm", "s16le", "pcm_s16le"),
}
"""By the names that OpenAI's interface gives them; pcm is bare int16, little-endian."""


class SoundEncoder:
    """Encodes consecutive chunks of speech into one file that can be sent as it grows.

    Args:
        name: One of `FORMATS`.
    """

    def __init__(self, name: str) -> None:
        shape = FORMATS[name]
        self._rate, self._samples = shape.rate, 0
        self._resampler = Resampler(shape.rate)
        self._written = bytearray()
        # Ogg holds a second back otherwise, and MP3 writes a header about the whole file.
        options = {"flush_packets": "1", "page_duration": "20000", "write_xing": "0"}
        known = {name: options[name] for name in _OPTIONS.get(shape.container, ())}
        self._file = av.open(self, "w", format=shape.container, options=known)
        self._stream: Any = self._file.add_stream(shape.codec, rate=shape.rate)
        self._stream.layout = "mono"
        if shape.bits:
            self._stream.bit_rate = shape.bits

    def write(self, data: bytes) -> int:
        """Take what FFmpeg writes."""
        self._written += data
        return len(data)

    def encode(self, audio: Audio) -> bytes:
        """Take the next chunk; return what is ready, possibly nothing."""
        self._encode(self._resampler.push(audio))
        return self._take()

    def finish(self) -> bytes:
        """Return the rest of the file."""
        self._encode(self._resampler.flush())
        self._file.mux(self._stream.encode(None))
        self._file.close()
        return self._take()

    def close(self) -> None:
        """Let go of everything."""
        self._file.close()

    def _encode(self, audio: Audio) -> None:
        if not audio.samples:
            return
        frame = AudioFrame.from_ndarray(audio.pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._samples
        frame.time_base = Fraction(1, self._rate)
        self._samples += audio.samples
        self._file.mux(self._stream.encode(frame))

    def _take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


_OPTIONS: Final = {
    "ogg": ("flush_packets", "page_duration"),
    "mp3": ("flush_packets", "write_xing"),
}
