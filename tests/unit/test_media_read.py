import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.read import read_audio, refuse_silence

Write = Callable[..., Path]


def tone(seconds: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def encoded(tmp_path: Path) -> Write:
    """Write a tone of 440 Hz, the same on all channels."""

    def write(
        name: str,
        codec: str,
        rate: int,
        layout: str,
        form: str,
        *,
        seconds: float = 2.0,
        picture: bool = False,
        container: str | None = None,
        title: str = "",
    ) -> Path:
        path = tmp_path / name
        mono = tone(seconds, rate)[None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(mono, "flt", "mono")
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        for mixed in av.AudioResampler(form, layout, rate).resample(frame):
            mixed.pts = None
            fifo.write(mixed)
        with av.open(str(path), "w", format=container) as out:
            if title:
                out.metadata["title"] = title
            sound: Any = out.add_stream(codec, rate=rate)
            sound.layout, sound.format = layout, form
            if picture:
                video: Any = out.add_stream("mpeg4", rate=25)
                video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
                out.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
                out.mux(video.encode())
            while block := fifo.read(sound.frame_size or 1024, partial=True):
                out.mux(sound.encode(block))
            out.mux(sound.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout", "form"),
    [
        ("8k.wav", "pcm_s16le", 8000, "stereo", "s16"),
        ("96k.wav", "pcm_f32le", 96000, "stereo", "flt"),
        ("surround.wav", "pcm_s16le", 48000, "5.1", "s16"),
        ("a.mp3", "mp3", 44100, "stereo", "fltp"),
        ("a.m4a", "aac", 44100, "stereo", "fltp"),
        ("a.webm", "libopus", 48000, "mono", "flt"),
        ("a.ogg", "libopus", 48000, "stereo", "flt"),
        ("a.flac", "flac", 44100, "mono", "s16"),
    ],
)
def test_what_ffmpeg_reads(
    encoded: Write, name: str, codec: str, rate: int, layout: str, form: str
) -> None:
    audio = read_audio(encoded(name, codec, rate, layout, form))
    assert (audio.rate, audio.start) == (16000, 0)
    assert audio.seconds == pytest.approx(2.0, abs=0.05)
    middle = audio.float32()[8000:24000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert int(spectrum.argmax()) == 440
    assert spectrum[440] ** 2 > 0.99 * float((spectrum**2).sum())


def test_uncompressed_sound_is_exact_in_length_and_level(encoded: Write) -> None:
    audio = read_audio(encoded("a.wav", "pcm_f32le", 96000, "stereo", "flt"))
    assert audio.samples == 32000
    wanted = tone(2, 16000) * np.sqrt(0.5)  # FFmpeg spreads mono over two channels so
    assert np.abs(audio.float32()[500:-500] - wanted[500:-500]).max() < 0.001


def test_the_sound_of_a_video(encoded: Write) -> None:
    path = encoded("clip.mp4", "aac", 48000, "stereo", "fltp", picture=True)
    assert read_audio(path, rate=24000).rate == 24000
    assert read_audio(path).seconds == pytest.approx(2.0, abs=0.05)


def test_tags_in_an_old_encoding_do_no_harm(encoded: Write) -> None:
    path = encoded("a.mp3", "mp3", 44100, "mono", "fltp", title="Cafeteria")
    path.write_bytes(path.read_bytes().replace(b"Cafeteria", b"Caf\xe9teria"))
    assert read_audio(path).seconds > 1.9


def refusal(path: Path, max_seconds: float = 60) -> str:
    with pytest.raises(InputError) as caught:
        read_audio(path, max_seconds=max_seconds)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message.replace(str(path), "FILE")


def test_files_that_are_none(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.wav") == "there is no file FILE"
    assert refusal(tmp_path) == "FILE is a folder, not a recording"
    assert refusal(Path("/dev/null")) == "FILE is not a file"
    (tmp_path / "x.wav").touch()
    assert refusal(tmp_path / "x.wav") == "FILE is empty"


@pytest.mark.parametrize(
    "content",
    [
        b"This is a letter, not a recording.\n" * 50,
        b"x",
        b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00",
        np.random.default_rng(0).bytes(50_000),
    ],
    ids=["text", "one byte", "half a header", "noise"],
)
def test_files_that_are_no_recordings(tmp_path: Path, content: bytes, capfd: Any) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert refusal(path) == "FILE cannot be read as a recording"
    assert capfd.readouterr().err == ""


def test_a_video_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        out.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(video.encode())
    assert refusal(path) == "FILE has no sound track"


def test_a_recording_that_was_cut_off_gives_what_there_is(recordings: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes((recordings / "jfk.wav").read_bytes()[:100_000])
    audio = read_audio(path)
    assert audio.seconds == pytest.approx(3.1, abs=0.05)
    whole = read_audio(recordings / "jfk.wav")
    assert np.array_equal(audio.pcm, whole.pcm[: audio.samples])


def test_hardly_any_sound(recordings: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes((recordings / "jfk.wav").read_bytes()[:1000])
    assert refusal(path) == "FILE holds no sound that can be decoded"


def test_an_unknown_codec(recordings: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "x.wav", bytearray((recordings / "jfk.wav").read_bytes())
    content[20:22] = struct.pack("<H", 0x1234)
    path.write_bytes(content)
    assert refusal(path) == "FILE holds no sound that can be decoded"


def test_damage_in_the_middle_costs_only_what_is_damaged(
    encoded: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    path = encoded("a.mp3", "mp3", 44100, "mono", "fltp")
    content = bytearray(path.read_bytes())
    content[8000:9000] = bytes(1000)
    path.write_bytes(content)
    assert 1.5 < read_audio(path).seconds <= 2.1
    assert capfd.readouterr().err == ""


def test_the_limit_is_kept_while_decoding(encoded: Write, tmp_path: Path) -> None:
    path = encoded("a.flac", "flac", 16000, "mono", "s16", seconds=90)
    assert refusal(path) == "FILE is longer than the limit of 60 seconds"
    assert refusal(path, max_seconds=89.5) == "FILE is longer than the limit of 89.5 seconds"
    assert read_audio(path, max_seconds=90).seconds == 90


def test_a_header_that_promises_an_hour_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(32000))
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 3600 * 32000)
    path.write_bytes(content)
    assert read_audio(path).seconds == 1


@pytest.mark.parametrize("target", ["{path}", "file:{path}"])
def test_a_playlist_cannot_reach_other_files(encoded: Write, tmp_path: Path, target: str) -> None:
    secret = encoded("secret.aac", "aac", 44100, "mono", "fltp", container="adts")
    assert read_audio(secret).seconds > 1.9
    playlist = tmp_path / "list.m3u8"
    entry = target.format(path=secret)
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{entry}\n#EXT-X-ENDLIST\n")
    assert refusal(playlist) == "FILE cannot be read as a recording"


@pytest.mark.parametrize("level", [0, 20])
def test_silence_is_refused_where_sound_is_wanted(level: int) -> None:
    pcm = np.full(16000, 300, np.int16)
    pcm[::2] += level
    with pytest.raises(InputError, match=r"there is no sound in quiet\.wav"):
        refuse_silence(Audio(pcm, 16000, 0), "quiet.wav")


def test_soft_sound_is_sound() -> None:
    pcm = np.zeros(16000, np.int16)
    pcm[100:200:2], pcm[101:200:2] = 60, -60
    refuse_silence(Audio(pcm, 16000, 0), "soft.wav")
    with pytest.raises(InputError, match="there is no sound"):
        refuse_silence(Audio.silence(0, 16000), "nothing.wav")
