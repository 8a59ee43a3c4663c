import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import av
import numpy as np
import pytest

from realtime_avatar.errors import EngineError, InputError
from realtime_avatar.media import Audio, Shot
from realtime_avatar.media.film import FilePlayout
from realtime_avatar.media.mp4 import Mp4Muxer
from realtime_avatar.media.picture import Frame, nv12, rgb
from streams import stream

pytestmark = pytest.mark.anyio


def shots(count: int, *, width: int = 64, height: int = 96, rate: int = 24_000) -> list[Shot]:
    """A red picture that grows brighter, with a 440 Hz tone."""
    size = rate // 25
    made: list[Shot] = []
    for index in range(count):
        t = (np.arange(size) + index * size) / rate
        pcm = (8000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
        frame = np.zeros((height, width, 3), np.uint8)
        frame[..., 0] = 100 + index % 100
        made.append(Shot(Audio(pcm, rate, index * size, f"{index} "), frame))
    return made


@pytest.mark.parametrize(("width", "height"), [(64, 96), (384, 578)])
@pytest.mark.parametrize("count", [1, 26, 250])
async def test_a_film_plays_in_browsers(tmp_path: Path, count: int, width: int, height: int):
    path = tmp_path / "film.mp4"
    async with FilePlayout(path) as playout:
        await playout.play(stream(shots(count, width=width, height=height)))
        assert playout.seconds == count / 25
    raw = path.read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")  # faststart
    with av.open(path) as film:
        (video,), (audio,) = film.streams.video, film.streams.audio
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.width, video.height) == (width, height)
        assert video.average_rate == video.base_rate == 25
        assert audio.codec_context.name == "aac"
        assert video.duration is not None
        assert video.time_base is not None
        assert audio.duration is not None
        assert audio.time_base is not None
        seconds = float(video.duration * video.time_base)
        assert seconds == pytest.approx(count / 25)
        assert float(audio.duration * audio.time_base) == pytest.approx(seconds, abs=0.04)
    with av.open(path) as film:
        times = [float(frame.time or 0) for frame in film.decode(video=0)]
    assert np.diff(times) == pytest.approx(1 / 25, abs=1e-6)
    with av.open(path) as film:
        samples = sum(frame.samples for frame in film.decode(audio=0))
    assert samples / 48_000 == pytest.approx(count / 25, abs=0.04)


@pytest.mark.parametrize("given", [rgb, nv12])
async def test_colours_and_sound_come_through(tmp_path: Path, given: Callable[[Frame], Frame]):
    path = tmp_path / "film.mp4"
    made = [replace(shot, frame=given(shot.frame)) for shot in shots(50) if shot.frame is not None]
    async with FilePlayout(path) as playout:
        await playout.play(stream(made))
    with av.open(path) as film:
        picture = next(film.decode(video=0)).to_ndarray(format="rgb24")
        red, green, blue = picture.reshape(-1, 3).mean(0)
        assert red == pytest.approx(100, abs=6)
        assert max(green, blue) < 8
    with av.open(path) as film:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    middle = sound[24_000:72_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert np.abs(middle).max() == pytest.approx(8000 / 32768, rel=0.1)


async def test_sound_begins_with_its_picture(tmp_path: Path):
    """A click at 1 s and a flash at 1 s are seen and heard within a frame of each other."""
    made = shots(50)
    for index, shot in enumerate(made):
        shot.audio.pcm[:] = 0
        assert shot.frame is not None
        shot.frame[:] = 255 if index == 25 else 0
    made[25].audio.pcm[:240] = 20_000
    path = tmp_path / "film.mp4"
    async with FilePlayout(path) as playout:
        await playout.play(stream(made))
    with av.open(path) as film:
        flash = max(film.decode(video=0), key=lambda frame: frame.to_ndarray().mean()).time
    with av.open(path) as film:
        frames = list(film.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    click = float(frames[0].time or 0) + int(np.argmax(np.abs(sound) > 0.2)) / 48_000
    assert flash == pytest.approx(1.0)
    assert click == pytest.approx(1.0, abs=0.02)


async def test_a_late_picture_is_held_and_a_missing_one_is_an_error(tmp_path: Path):
    made = [Shot(shot.audio, shot.frame if 2 < n < 6 else None) for n, shot in enumerate(shots(9))]
    async with FilePlayout(tmp_path / "held.mp4") as playout:
        await playout.play(stream(made))
        assert playout.stop() == "".join(f"{index} " for index in range(9))
    with av.open(tmp_path / "held.mp4") as film:
        assert sum(1 for _ in film.decode(video=0)) == 9
    with pytest.raises(EngineError, match="picture"):
        async with FilePlayout(tmp_path / "none.mp4") as playout:
            await playout.play(stream([Shot(shot.audio, None) for shot in made]))
    assert not (tmp_path / "none.mp4").exists()


async def test_a_cancelled_film_leaves_no_file(tmp_path: Path):
    with anyio.CancelScope() as scope:
        async with FilePlayout(tmp_path / "film.mp4") as playout:
            await playout.play(stream(shots(10)))
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert list(tmp_path.iterdir()) == []


async def test_an_old_film_stays_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"the film of yesterday")
    with pytest.raises(RuntimeError, match="oops"):
        async with FilePlayout(path) as playout:
            await playout.play(stream(shots(10)))
            raise RuntimeError("oops")
    assert path.read_bytes() == b"the film of yesterday"


async def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    playout = FilePlayout(tmp_path / "film.mp4")
    monkeypatch.setattr(Mp4Muxer, "_encode_audio", full)
    with pytest.raises(InputError, match=r"cannot write .*No space left"):
        async with playout:
            await playout.play(stream(shots(10)))
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_is_not_there_is_said_in_words(tmp_path: Path):
    with pytest.raises(InputError, match="cannot write"):
        async with FilePlayout(tmp_path / "nowhere" / "film.mp4") as playout:
            await playout.play(stream(shots(1)))
