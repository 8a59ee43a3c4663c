"""When received sound is heard and received pictures are seen, in a client that has no screen.

aiortc decodes, but it does not play. A player's clock follows from when the packets came:

- sound is played so late that 95 of 100 packets of the last two seconds would have been in
  time, as browsers do, and one packet later, which is what the sound card holds; to become
  earlier again it is played at most a tenth faster;
- a picture is shown when it is complete, or, if that is later, together with the sound of
  its time, which the sender's reports tell (RFC 3550, sections 5.1 and 6.4.1).
"""

from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket
from anyio import current_time
from numpy.typing import NDArray

Times = NDArray[np.float64]

WINDOW: Final = 2.0
"""Seconds over which packets tell how late they may come."""

IN_TIME: Final = 95
"""Percentage of them that must not be too late."""

CARD: Final = 0.02
"""Seconds of sound that a sound card holds."""

_FASTER = 0.9  # of its duration, in which a packet may be played to catch up
_WRAP = 2**32


@dataclass(slots=True)
class Stream:
    """The packets of one track, as they come.

    Attributes:
        rate: Of its time stamps, Hz.
        packets: Time stamp and arrival of each, seconds on the loop's clock.
        reports: Of the sender: arrival, its clock in seconds, and the time stamp of then.
        track: What decodes it.
    """

    rate: int
    packets: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    reports: list[tuple[float, float, int]] = field(default_factory=list[tuple[float, float, int]])
    receiver: RTCRtpReceiver | None = None
    _source: int | None = None

    @property
    def track(self) -> MediaStreamTrack:
        return cast("RTCRtpReceiver", self.receiver).track

    def follow(self, receiver: RTCRtpReceiver) -> None:
        """Note what a receiver gets, before it gets anything."""
        self.receiver = receiver
        hidden = cast("Any", receiver)  # aiortc tells nobody else when a packet came
        take_media, take_report = hidden._handle_rtp_packet, hidden._handle_rtcp_packet

        async def media(packet: RtpPacket, arrival_time_ms: int) -> None:
            self._source = packet.ssrc if self._source is None else self._source
            if packet.ssrc == self._source:  # others repeat what got lost
                self.packets.append((packet.timestamp, current_time()))
            await take_media(packet, arrival_time_ms=arrival_time_ms)

        async def report(packet: AnyRtcpPacket) -> None:
            if isinstance(packet, RtcpSrPacket):
                told = packet.sender_info
                self.reports.append(
                    (current_time(), told.ntp_timestamp / _WRAP, told.rtp_timestamp)
                )
            await take_report(packet)

        hidden._handle_rtp_packet, hidden._handle_rtcp_packet = media, report

    def frames(self) -> tuple[NDArray[np.int64], Times]:
        """Return each frame's time stamp, 0 for the first, and when its last packet came."""
        came: dict[int, float] = {}
        for stamp, arrival in self.packets:
            ticks = self.ticks(stamp)
            came[ticks] = max(arrival, came.get(ticks, arrival))
        stamps = sorted(came)
        return np.array(stamps, np.int64), np.array([came[ticks] for ticks in stamps])

    def ticks(self, stamp: int) -> int:
        """Return how many ticks a time stamp is after the first packet's."""
        return (stamp - self.packets[0][0] + _WRAP // 2) % _WRAP - _WRAP // 2


def played(sound: Stream) -> tuple[NDArray[np.int64], Times]:
    """Return each packet's time stamp, 0 for the first, and when it begins to be heard."""
    stamps, came = sound.frames()
    along = stamps / sound.rate
    late = came - along
    since = np.searchsorted(came, came - WINDOW)
    heard: list[float] = []
    for index, (first, arrival) in enumerate(zip(since.tolist(), came.tolist(), strict=True)):
        usual = float(np.percentile(late[min(first, index) : index + 1], IN_TIME))
        due = max(along[index] + usual, arrival) + CARD
        if heard:
            due = max(due, heard[-1] + (along[index] - along[index - 1]) * _FASTER)
        heard.append(due)
    return stamps, np.array(heard)


def shown(
    picture: Stream, sound: Stream, heard: tuple[NDArray[np.int64], Times]
) -> tuple[NDArray[np.int64], Times]:
    """Return each picture's time stamp, 0 for the first, and when it is shown.

    Args:
        picture: Its stream.
        sound: The stream that it belongs to.
        heard: What `played` says of that.
    """
    stamps, came = picture.frames()
    if not (picture.reports and sound.reports):
        return stamps, came
    starts = np.array([arrival for arrival, _, _ in picture.reports])
    others = np.array([arrival for arrival, _, _ in sound.reports])
    times: list[float] = []
    for stamp, arrival in zip(stamps.tolist(), came.tolist(), strict=True):
        _, clock, origin = picture.reports[max(0, int(np.searchsorted(starts, arrival)) - 1)]
        at = clock + (stamp - picture.ticks(origin)) / picture.rate
        _, clock, origin = sound.reports[max(0, int(np.searchsorted(others, arrival)) - 1)]
        along = sound.ticks(origin) + (at - clock) * sound.rate
        times.append(max(arrival, _along(heard, along, sound.rate), times[-1] if times else 0.0))
    return stamps, np.array(times)


def _along(heard: tuple[NDArray[np.int64], Times], stamp: float, rate: int) -> float:
    """Return when the sound at a time stamp is heard, before and after the last one too."""
    stamps, times = heard
    inside = float(np.clip(stamp, stamps[0], stamps[-1]))
    return float(np.interp(inside, stamps, times)) + (stamp - inside) / rate
