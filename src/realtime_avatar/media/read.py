"""Reading recordings: whatever FFmpeg decodes becomes mono sound of one rate."""

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.media.audio import Audio, join
from realtime_avatar.media.resample import Resampler

SHORTEST: Final = 0.1
"""Seconds of sound below which a file counts as broken rather than as a recording."""

SILENCE: Final = -60.0
"""Peak level below which a recording counts as silent, dB relative to full scale."""

# FFmpeg also reads playlists, which name other files and addresses. A recording is one
# file: with no protocol allowed, only the bytes that FFmpeg is handed can be read.
ONE_FILE: Final = {"protocol_whitelist": "none"}


def read_audio(
    path: str | os.PathLike[str], *, rate: int = 16000, max_seconds: float = 60
) -> Audio:
    """Read the first sound track of an audio or video file. Blocking.

    A file that was cut off or is damaged in places gives what can be decoded of it. No
    more than `max_seconds` is decoded or held in memory.

    Args:
        path: Any container and codec that FFmpeg reads.
        rate: Of the result, Hz; channels are mixed into one.
        max_seconds: The longest recording to accept.

    Raises:
        InputError: naming the file, if it is missing, empty, not a recording, without a
            sound track, or too long.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"there is no file {path}")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a recording")
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty")
    try:
        with path.open("rb") as file:
            return decode_audio(file, str(path), rate=rate, max_seconds=max_seconds)
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error


def decode_audio(
    file: BinaryIO, name: str, *, rate: int, max_seconds: float, demuxer: str | None = None
) -> Audio:
    """Read the first sound track of an open file; see `read_audio`.

    Args:
        file: At its beginning.
        name: What to call it.
        rate: Of the result, Hz.
        max_seconds: The longest recording to accept.
        demuxer: FFmpeg's name of the only one to try; by default it finds out.
    """
    stream, chunks, position = Resampler(rate), list[Audio](), 0
    try:
        with av.open(
            file, format=demuxer, options=ONE_FILE, metadata_errors="replace"
        ) as container:
            if not container.streams.audio:
                raise InputError(f"{name} has no sound track")
            for pcm, native in _decode(container):
                chunk = Audio(pcm, native, position)
                if (position := chunk.end) > max_seconds * native:
                    raise InputError(f"{name} is longer than the limit of {max_seconds:g} seconds")
                chunks.append(stream.push(chunk))
    except FFmpegError as error:
        raise InputError(f"{name} cannot be read as a recording") from error
    audio = join([*chunks, stream.flush()])
    if audio.seconds < SHORTEST:
        raise InputError(f"{name} holds no sound that can be decoded")
    return audio


def write_wav(audio: Audio, path: Path) -> None:
    """Write a recording as a WAV file, for libraries that want one.

    Raises:
        OSError: if it cannot be written.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes(audio.pcm.astype("<i2").tobytes())


def refuse_silence(audio: Audio, name: str | os.PathLike[str]) -> None:
    """Return if there is any sound in a recording.

    Args:
        audio: What was read.
        name: What to call it.

    Raises:
        InputError: if its peak, a constant offset aside, stays below `SILENCE`.
    """
    swing = int(audio.pcm.max()) - int(audio.pcm.min()) if audio.samples else 0
    if swing / 2 < 32768 * 10 ** (SILENCE / 20):
        raise InputError(f"there is no sound in {os.fspath(name)}")


def _decode(container: Any) -> Iterator[tuple[NDArray[np.int16], int]]:
    """Yield the first sound track, mixed into one channel, with its rate."""
    mixer: Any = None
    shape: Any = None
    rate = 0
    for packet in _packets(container):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue  # damaged here: go on with the next packet, as players do
        for frame in frames:
            rate = rate or frame.sample_rate
            if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                # The first frame, or a stream that changes midway.
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
                mixer = av.AudioResampler("s16", "mono", rate)
            frame.pts = None
            for mono in mixer.resample(frame):
                yield mono.to_ndarray()[0], rate


def _packets(container: Any) -> Iterator[Any]:
    """Yield packets until the end of the file, or to where its structure is broken."""
    try:
        yield from container.demux(container.streams.audio[0])
    except FFmpegError:
        return
