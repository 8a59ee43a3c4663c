from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from realtime_avatar.bench.live_rtp import CARD, Stream, played, shown

TICKS = 960  # of a packet of sound, 20 ms
FRAME = 3600  # of a picture, 40 ms


def sound(count: int, late: Mapping[int, float] | float = 0.0) -> Stream:
    """Packets that are sent every 20 ms from 100.0 on; the time stamps wrap."""
    first = 2**32 - 5000
    lateness = late if isinstance(late, Mapping) else dict.fromkeys(range(count), late)
    stream = Stream(48_000)
    stream.packets = [
        ((first + number * TICKS) % 2**32, 100 + number * 0.02 + lateness.get(number, 0.0))
        for number in range(count)
    ]
    return stream


def picture(count: int, late: float = 0.0) -> Stream:
    """Pictures of three packets each, sent every 40 ms from 100.0 on."""
    stream = Stream(90_000)
    stream.packets = [
        (7000 + number * FRAME, 100 + number * 0.04 + late + part * 0.001)
        for number in range(count)
        for part in range(3)
    ]
    return stream


def test_prompt_packets_are_heard_one_packet_later():
    stamps, heard = played(sound(100))
    assert stamps.tolist() == [number * TICKS for number in range(100)]
    assert heard == pytest.approx(100 + np.arange(100) * 0.02 + CARD)


def test_a_single_late_packet_is_heard_late_and_does_not_move_the_others_for_long():
    _, heard = played(sound(200, {100: 0.1}))
    delay = heard - (100 + np.arange(200) * 0.02 + CARD)
    assert delay[99] == pytest.approx(0)
    assert delay[100] == pytest.approx(0.1)
    assert delay[-1] == pytest.approx(0)
    assert (np.diff(heard) >= 0.018 - 1e-9).all(), "at most a tenth faster"


def test_usual_jitter_is_waited_for():
    _, heard = played(sound(300, dict.fromkeys(range(0, 300, 5), 0.03)))
    delay = (heard - (100 + np.arange(300) * 0.02 + CARD))[150:]
    assert delay == pytest.approx(0.03)


def test_without_reports_a_picture_is_shown_when_it_is_complete():
    stamps, times = shown(picture(50), sound(100), played(sound(100)))
    assert stamps.tolist() == [number * FRAME for number in range(50)]
    assert times == pytest.approx(100 + np.arange(50) * 0.04 + 0.002)


def test_with_reports_a_picture_is_shown_with_its_sound():
    voice = sound(100, late=0.05)
    face = picture(50)
    # Both clocks of the sender say that the first packets belong to its second 5000.
    voice.reports = [(100.0, 5000.0, voice.packets[0][0])]
    face.reports = [(100.0, 5000.0, face.packets[0][0])]
    _, times = shown(face, voice, played(voice))
    assert times == pytest.approx(100 + np.arange(50) * 0.04 + 0.05 + CARD)


def test_a_report_that_puts_the_picture_later_delays_it():
    voice, face = sound(100), picture(50)
    voice.reports = [(100.0, 5000.0, voice.packets[0][0])]
    face.reports = [(100.0, 5000.2, face.packets[0][0])]
    _, times = shown(face, voice, played(voice))
    assert times[:40] == pytest.approx(100 + np.arange(40) * 0.04 + 0.2 + CARD)


def test_a_picture_that_comes_too_late_for_its_sound_is_shown_at_once():
    voice, face = sound(100), picture(50, late=0.3)
    voice.reports = [(100.0, 5000.0, voice.packets[0][0])]
    face.reports = [(100.0, 5000.0, face.packets[0][0])]
    _, times = shown(face, voice, played(voice))
    assert times == pytest.approx(100 + np.arange(50) * 0.04 + 0.302)


class Receiver:
    """What `Stream.follow` needs of aiortc's."""

    track = "a track"

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def _handle_rtp_packet(self, packet: Any, arrival_time_ms: int) -> None:
        self.got.append(packet)

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        self.got.append(packet)


@pytest.mark.anyio
async def test_a_stream_notes_what_its_receiver_gets():
    from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket, RtpPacket

    receiver, stream = Receiver(), Stream(48_000)
    stream.follow(receiver)  # pyright: ignore[reportArgumentType]
    for number, source in enumerate((7, 7, 9)):
        packet = RtpPacket(timestamp=5000 + number * TICKS)
        packet.ssrc = source
        await receiver._handle_rtp_packet(packet, arrival_time_ms=1)
    told = RtcpSenderInfo(ntp_timestamp=3 * 2**31, rtp_timestamp=42, packet_count=1, octet_count=1)
    await receiver._handle_rtcp_packet(RtcpSrPacket(ssrc=7, sender_info=told))
    assert [stamp for stamp, _ in stream.packets] == [5000, 5960], "not those of another source"
    assert [(clock, stamp) for _, clock, stamp in stream.reports] == [(1.5, 42)]
    assert len(receiver.got) == 4
    assert stream.track == "a track"
