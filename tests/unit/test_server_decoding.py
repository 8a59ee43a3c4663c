"""Files of strangers are read within limits, in another process."""

import io
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.errors import InputError
from realtime_avatar.face.portrait import default_portrait
from realtime_avatar.media import Audio
from realtime_avatar.media.read import read_audio
from realtime_avatar.server import decoding
from realtime_avatar.server.decoding import Decoder

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def decoder() -> AsyncGenerator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


@contextmanager
def file_of(data: bytes) -> Generator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file


async def hear(decoder: Decoder, data: bytes, longest: float = 60) -> Audio:
    with file_of(data) as file:
        return await decoder.audio(file, rate=16_000, longest=longest)


async def look(decoder: Decoder, data: bytes) -> NDArray[np.uint8]:
    with file_of(data) as file:
        return await decoder.portrait(file)


def encoded(container: str, codec: str) -> bytes:
    out = io.BytesIO()
    tone = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)[None]
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 48_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("mp3", "libmp3lame"),
        ("flac", "flac"),
        ("ogg", "libopus"),
        ("webm", "libopus"),
        ("ipod", "aac"),
        ("adts", "aac"),
        ("aiff", "pcm_s16be"),
        ("avi", "pcm_s16le"),
        ("caf", "pcm_s16le"),
    ],
)
async def test_what_people_record_is_read(decoder: Decoder, container: str, codec: str):
    audio = await hear(decoder, encoded(container, codec))
    assert audio.rate == 16_000
    assert audio.seconds == pytest.approx(1, abs=0.1)
    assert abs(audio.pcm.astype(int)).max() > 4000


async def test_it_reads_the_same_as_in_this_process(decoder: Decoder):
    speech = (bundled("speech") / "jfk.wav").read_bytes()
    expected = read_audio(bundled("speech") / "jfk.wav")
    assert ((await hear(decoder, speech)).pcm == expected.pcm).all()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a recording that is known"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "not a recording that is known"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a recording that is known"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(20), "cannot be read|holds no sound|no sound track"),
        (b"OggS" + bytes(100), "cannot be read|no sound"),
        (b"\0\0\0\x20ftypisom" + bytes(100), "cannot be read|no sound"),
    ],
)
async def test_what_is_no_recording_is_refused_in_words(decoder: Decoder, data: bytes, why: str):
    with pytest.raises(InputError, match=why):
        await hear(decoder, data)


async def test_a_long_or_silent_recording_is_refused(decoder: Decoder):
    with pytest.raises(InputError, match="limit of 5 seconds"):
        await hear(decoder, (bundled("speech") / "jfk.wav").read_bytes(), 5)
    silence = io.BytesIO()
    with av.open(silence, "w", format="wav") as file:
        stream = file.add_stream("pcm_s16le", rate=16_000, layout="mono")
        zeros = np.zeros((1, 16_000), np.int16)
        frame = av.AudioFrame.from_ndarray(zeros, format="s16", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(InputError, match="no sound in the recording"):
        await hear(decoder, silence.getvalue())


async def test_a_portrait_is_read(decoder: Decoder):
    picture = await look(decoder, default_portrait().read_bytes())
    with Image.open(default_portrait()) as expected:
        assert picture.shape == (expected.height, expected.width, 3)


async def test_a_picture_of_too_many_pixels_is_refused(decoder: Decoder):
    bomb = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(InputError, match="more than 50 megapixels"):
        await look(decoder, bomb.getvalue())


async def test_postscript_is_not_run(decoder: Decoder, tmp_path: Path):
    trace = tmp_path / "trace"
    program = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({trace}) (w) file closefile\n"
    with pytest.raises(InputError, match="not a picture"):
        await look(decoder, program.encode())
    assert not trace.exists()


async def test_too_much_memory_ends_that_file_only(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(decoding, "MEMORY", 4_000_000)
    with pytest.raises(InputError, match="memory"):
        await look(decoder, default_portrait().read_bytes())
    monkeypatch.undo()
    assert (await look(decoder, default_portrait().read_bytes())).size


async def test_too_much_time_ends_that_file_only(decoder: Decoder, monkeypatch: pytest.MonkeyPatch):
    """A pipe that nobody writes to is the slowest file there is."""
    monkeypatch.setattr(decoding, "SECONDS", 1)
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as file, os.fdopen(sink, "wb"):
        slow = cast("BinaryIO", _Unseekable(file))
        began = time.monotonic()
        with pytest.raises(InputError, match="too much time"):
            await decoder.audio(slow, rate=16_000, longest=60)
        assert time.monotonic() - began < 10
    monkeypatch.undo()
    assert (await hear(decoder, encoded("wav", "pcm_s16le"))).samples


class _Unseekable(io.RawIOBase):
    """A pipe that lets itself be told to go back to its beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 0

    def fileno(self) -> int:
        return self._file.fileno()


async def test_it_goes_on_after_its_process_was_killed(decoder: Decoder):
    assert (await hear(decoder, encoded("wav", "pcm_s16le"))).samples
    process = decoder._process
    assert process is not None
    process.kill()
    process.wait()
    assert (await hear(decoder, encoded("wav", "pcm_s16le"))).samples
    assert decoder._process is not process
