from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from realtime_avatar.media import Audio
from realtime_avatar.media.picture import Frame, nv12, rgb
from realtime_avatar.server.codecs import (
    Codec,
    OpusDecoder,
    OpusEncoder,
    VideoEncoder,
    mono,
    web_codec,
)

CODECS: list[Codec] = ["h264", "vp8"]


def picture(value: int, side: int = 64) -> NDArray[np.uint8]:
    frame = np.zeros((side, side, 3), np.uint8)
    frame[..., 0], frame[: side // 2, :, 2] = value, 200
    return frame


def decode(codec: Codec, chunks: list[bytes]) -> list[NDArray[np.uint8]]:
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    frames = [frame for chunk in chunks for frame in context.decode(av.Packet(chunk))]
    frames += context.decode(None)
    return [cast("Any", frame.to_ndarray(format="rgb24")) for frame in frames]


@pytest.mark.parametrize("given", [rgb, nv12])
@pytest.mark.parametrize("codec", CODECS)
def test_each_picture_is_one_packet_at_once_and_looks_as_it_did(
    codec: Codec, given: Callable[[Frame], Frame]
):
    encoder = VideoEncoder(codec, 25, 1_000_000)
    made = [picture(100 + 3 * index) for index in range(10)]
    chunks = [encoder.encode(given(frame), index) for index, frame in enumerate(made)]
    assert [chunk is not None and chunk.key for chunk in chunks] == [True] + [False] * 9
    decoded = decode(codec, [chunk.data for chunk in chunks if chunk])
    assert len(decoded) == 10
    for before, after in zip(made, decoded, strict=True):
        assert np.abs(before.astype(int) - after).mean() < 6


@pytest.mark.parametrize("codec", CODECS)
def test_a_key_frame_comes_when_asked_for_and_can_be_decoded_alone(codec: Codec):
    encoder = VideoEncoder(codec, 25, 1_000_000)
    for index in range(5):
        encoder.encode(picture(100), index)
    encoder.ask_for_key()
    chunk = encoder.encode(None, 9)
    assert chunk is not None
    assert chunk.key
    (decoded,) = decode(codec, [chunk.data])
    assert np.abs(picture(100).astype(int) - decoded).mean() < 6
    after = encoder.encode(None, 10)
    assert after is not None
    assert not after.key


@pytest.mark.parametrize("codec", CODECS)
def test_before_the_first_picture_there_is_nothing_to_repeat(codec: Codec):
    encoder = VideoEncoder(codec, 25, 1_000_000)
    assert encoder.encode(None, 0) is None
    chunk = encoder.encode(picture(1), 1)
    assert chunk is not None
    assert chunk.key


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_picture_again_is_repeated(codec: Codec):
    again, none = (VideoEncoder(codec, 25, 1_000_000) for _ in range(2))
    frame = picture(100)
    chunks = [(again.encode(frame, i), none.encode(None if i else frame, i)) for i in range(4)]
    assert all(one == other for one, other in chunks)
    frame = picture(150)
    chunk = again.encode(frame, 4)
    assert chunk is not None
    data = [one.data for one, _ in chunks if one] + [chunk.data]
    assert np.abs(decode(codec, data)[-1].astype(int) - frame).mean() < 6


@pytest.mark.parametrize(("width", "height"), [(512, 512), (384, 578), (1080, 1080)])
def test_web_codecs_are_told_the_profile_that_is_sent(width: int, height: int):
    encoder = VideoEncoder("h264", 25, 1_000_000)
    chunk = encoder.encode(np.zeros((height, width, 3), np.uint8), 0)
    assert chunk is not None
    start = chunk.data.index(b"\x00\x00\x01\x67") + 4  # the sequence parameter set
    assert web_codec("h264", width, height) == f"avc1.{chunk.data[start : start + 3].hex().upper()}"
    assert web_codec("vp8", width, height) == "vp8"


def test_voice_comes_through_opus_in_packets_of_20_ms():
    t = np.arange(48_000) / 48_000
    tone = (10_000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    encoder, decoder = OpusEncoder(), OpusDecoder()
    packets = [
        packet
        for at in range(0, 48_000, 1920)
        for packet in encoder.encode(Audio(tone[at : at + 1920], 48_000, at))
    ]
    assert len(packets) == 50
    heard = np.concatenate([decoder.decode(packet) for packet in packets])
    assert len(heard) == 48_000
    middle = heard[12_000:36_000].astype(float)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 220  # 440 Hz in half a second
    assert np.abs(middle).max() == pytest.approx(10_000, rel=0.15)


def test_lasting_silence_is_one_packet_and_the_voice_comes_back_as_clear_after_it():
    t = np.arange(24_000) / 48_000
    tone = (10_000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    sound = np.concatenate([tone, np.zeros(96_000, np.int16), tone])
    encoder, decoder = OpusEncoder(), OpusDecoder()
    packets = encoder.encode(Audio(sound, 48_000, 0))
    assert len(packets) == 150
    assert len({id(packet) for packet in packets[40:125]}) == 1
    heard = np.concatenate([decoder.decode(packet) for packet in packets]).astype(float)
    assert np.abs(heard[30_000:118_000]).max() < 10
    for start in (2_400, 122_400):
        loud = heard[start : start + 19_200]
        assert np.sqrt(np.mean(loud**2)) == pytest.approx(10_000 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("packet", [b"", b"\xff", bytes(1500), b"no opus at all, surely"])
def test_what_is_no_opus_is_refused_or_heard_but_breaks_nothing(packet: bytes):
    decoder = OpusDecoder()
    with suppress(ValueError):
        decoder.decode(packet)
    whole = OpusEncoder().encode(Audio.silence(960, 48_000))
    assert len(decoder.decode(whole[0])) == 960


def test_channels_are_averaged():
    stereo = np.array([[100, 300, -50, 50]], np.int16)
    frame = AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
    assert mono(frame).tolist() == [200, 0]
    planar = AudioFrame.from_ndarray(
        np.array([[100, -50], [300, 50]], np.int16), format="s16p", layout="stereo"
    )
    assert mono(planar).tolist() == [200, 0]
