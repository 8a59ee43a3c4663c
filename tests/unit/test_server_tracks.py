from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import numpy as np
import pytest
from aiortc import RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket
from anyio.streams.memory import MemoryObjectSendStream

from realtime_avatar.media import Audio
from realtime_avatar.media.live import Beat
from realtime_avatar.server.codecs import OpusDecoder, VideoEncoder
from realtime_avatar.server.tracks import FaceTrack, Pace, VoiceTrack, adjust_reports
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


def beat(index: int, *, picture: bool = True) -> Beat:
    frame = np.full((64, 64, 3), index % 256, np.uint8) if picture else None
    return Beat(index, Audio.silence(1920, 48_000, index * 1920), frame, speaking=False)


class Read:
    def __init__(self) -> None:
        self.indices: list[int] = []

    def __call__(self, beat: Beat) -> None:
        self.indices.append(beat.index)


@asynccontextmanager
async def voice(read: Read) -> AsyncGenerator[tuple[VoiceTrack, MemoryObjectSendStream[Beat]]]:
    sink, source = anyio.create_memory_object_stream[Beat](5)
    with sink, source:
        yield VoiceTrack(source, Pace(), read), sink


@asynccontextmanager
async def face(read: Read) -> AsyncGenerator[tuple[FaceTrack, MemoryObjectSendStream[Beat]]]:
    sink, source = anyio.create_memory_object_stream[Beat](5)
    with sink, source:
        yield FaceTrack(source, Pace(), VideoEncoder("vp8", 25, 500_000), 25, read), sink


async def test_a_beat_is_two_packets_of_sound_20_ms_apart():
    async with voice(read := Read()) as (track, beats):
        beats.send_nowait(beat(7))
        start = anyio.current_time()
        first = await track.recv()
        assert anyio.current_time() == start
        second = await track.recv()
        assert anyio.current_time() == pytest.approx(start + 0.02)
        assert (first.pts, second.pts) == (7 * 1920, 7 * 1920 + 960)
        assert (first.time_base.numerator, first.time_base.denominator) == (1, 48_000)
        assert read.indices == [7]


@pytest.mark.parametrize("pause", [False, True])
async def test_what_is_left_of_a_beat_is_faded_out_when_the_voice_falls_silent(pause: bool):
    paused, decoder = False, OpusDecoder()
    t = np.arange(5 * 1920) / 48_000
    pcm = (10_000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)
    sink, source = anyio.create_memory_object_stream[Beat](5)
    with sink, source:
        track = VoiceTrack(source, Pace(), Read(), lambda: paused)
        heard: list[np.ndarray] = []
        for index in range(5):
            audio = Audio(pcm[index * 1920 :][:1920], 48_000, index * 1920)
            sink.send_nowait(Beat(index, audio, None, speaking=True))
            for half in range(2):
                paused = pause and (index, half) == (4, 1)
                heard.append(decoder.decode(bytes(await track.recv())))
    last, before = (np.abs(one.astype(float)).mean() for one in (heard[-1], heard[-2]))
    assert last < 0.6 * before if pause else last > 0.8 * before


async def test_sound_that_comes_late_is_sent_at_once_until_it_is_on_time_again():
    async with voice(Read()) as (track, beats):
        beats.send_nowait(beat(0))
        await track.recv()
        await track.recv()
        await anyio.sleep(0.18)  # to 0.2
        for index in range(1, 5):
            beats.send_nowait(beat(index))
        start = anyio.current_time()
        for _ in range(8):
            await track.recv()
        assert anyio.current_time() == start
        assert track.late == pytest.approx(0.02)


async def test_pictures_are_stamped_with_their_beat_and_the_late_ones_left_out():
    async with face(read := Read()) as (track, beats):
        beats.send_nowait(beat(3))
        assert (await track.recv()).pts == 3 * 3600
        for index in (4, 5, 6):
            beats.send_nowait(beat(index, picture=index == 5))
        packet = await track.recv()
        assert packet.pts == 6 * 3600
        assert read.indices == [3, 6]
        assert not packet.is_keyframe


async def test_nothing_is_sent_before_there_is_a_picture():
    async with face(read := Read()) as (track, beats):
        beats.send_nowait(beat(0, picture=False))
        with anyio.move_on_after(1) as waiting:
            await track.recv()
        assert waiting.cancelled_caught
        beats.send_nowait(beat(1))
        packet = await track.recv()
        assert packet.is_keyframe
        assert read.indices == [1]


@pytest.mark.parametrize("kind", ["voice", "face"])
async def test_a_track_ends_with_the_beats(kind: str):
    async with (voice if kind == "voice" else face)(Read()) as (track, beats):
        beats.close()
        with pytest.raises(MediaStreamError):
            await track.recv()
        assert track.readyState == "ended"


async def test_reports_say_when_a_packet_was_due_and_are_heard_of():
    sent: list[RtcpSrPacket] = []
    handled: list[object] = []
    signs = Read()

    class Sender:
        async def _send_rtcp(self, packets: list[RtcpSrPacket]) -> None:
            sent.extend(packets)

        async def _handle_rtcp_packet(self, packet: object) -> None:
            handled.append(packet)

    sender: Any = Sender()
    async with voice(Read()) as (track, beats):
        adjust_reports(cast("RTCRtpSender", sender), track, lambda: signs(beat(0)))
        beats.send_nowait(beat(0))
        await track.recv()
        await anyio.sleep(0.3)
        beats.send_nowait(beat(1))  # due after 0.04
        await track.recv()
        await track.recv()
        info = RtcpSenderInfo(
            ntp_timestamp=100 << 32, rtp_timestamp=5, packet_count=1, octet_count=1
        )
        await sender._send_rtcp([RtcpSrPacket(ssrc=1, sender_info=info)])
        assert sent[0].sender_info.ntp_timestamp / 2**32 == pytest.approx(100 - 0.26)
        await sender._handle_rtcp_packet("report")
        assert handled == ["report"]
        assert signs.indices == [0]
