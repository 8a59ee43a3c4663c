from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.face import background
from realtime_avatar.face.curves import HEIGHT
from realtime_avatar.face.film import clear_film, film_shots
from realtime_avatar.face.rig import PhotoRig
from realtime_avatar.media.audio import Audio, to_int16
from realtime_avatar.media.webm import write_webm

from .test_face_matte import points, portrait
from .test_face_rigfile import SIDE, rig

__all__ = ["points", "portrait", "rig"]

RATE = 48_000


@pytest.fixture(scope="module")
def hum() -> Audio:
    """Half a second and a bit of something like a vowel."""
    t = np.arange(RATE // 2 + 100) / RATE
    wave = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 12)) * 0.1
    return Audio(to_int16(np.asarray(wave, np.float32)), RATE, 0)


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_a_film_is_as_long_as_its_sound(rig: PhotoRig, hum: Audio, fps: int):
    shots = list(film_shots(rig, hum, fps))
    assert len(shots) == -(-hum.samples * fps // RATE)
    assert {shot.audio.samples for shot in shots} == {RATE // fps}
    heard = np.concatenate([shot.audio.pcm for shot in shots])
    assert np.array_equal(heard[: hum.samples], hum.pcm)


def test_curves_are_drawn_below(rig: PhotoRig, hum: Audio):
    frames = [shot.frame for shot in film_shots(rig, hum, 25, curves=True)]
    strips: list[NDArray[np.uint8]] = []
    for frame in frames:
        assert frame is not None
        assert frame.shape == (SIDE + HEIGHT, SIDE, 3)
        strips.append(frame[SIDE:])
    cursors = [int((strip == 230).all((0, 2)).argmax()) for strip in strips]
    assert cursors == sorted(cursors)
    assert len(set(cursors)) == len(cursors)


def test_a_film_without_a_background(rig: PhotoRig, hum: Audio, tmp_path: Path):
    pictures = list(clear_film(rig, hum, 25))
    assert pictures[0].shape == (SIDE, SIDE, 4)
    write_webm(tmp_path / "a.webm", pictures, hum, 25)
    assert [path.name for path in tmp_path.iterdir()] == ["a.webm"]
    with av.open(str(tmp_path / "a.webm")) as file:
        # FFmpeg's own VP9 decoder leaves the alpha out.
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoded = [
            frame.to_ndarray(format="rgba")
            for packet in file.demux(file.streams.video[0])
            for frame in decoder.decode(packet)
        ]
    assert len(decoded) == len(pictures)
    assert decoded[3][5, 5, 3] < 10
    assert decoded[3][SIDE // 2, SIDE // 2, 3] > 245
    off = np.abs(decoded[3][..., :3].astype(int) - pictures[3][..., :3])
    assert off[pictures[3][..., 3] == 255].mean() < 8


def test_a_film_that_cannot_be_written(rig: PhotoRig, hum: Audio, tmp_path: Path):
    with pytest.raises(InputError, match="cannot write"):
        write_webm(tmp_path / "none" / "a.webm", clear_film(rig, hum, 25), hum, 25)
    with pytest.raises(ValueError, match="48000 Hz"):
        write_webm(tmp_path / "a.webm", [], Audio.silence(100, 16_000), 25)


def test_backgrounds(rig: PhotoRig):
    assert background.colour(rig, "#20507c")[3, 4].tolist() == [0x20, 0x50, 0x7C]
    with pytest.raises(InputError, match="neither a colour nor a picture"):
        background.colour(rig, "no such thing")
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 150:250] = 200
    cut = background.picture(rig, wide)
    assert cut.shape == (SIDE, SIDE, 3)
    assert cut.min() == 200
    assert background.blurred(rig).shape == (SIDE, SIDE, 3)
