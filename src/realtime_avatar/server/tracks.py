"""The two tracks of a WebRTC call, both of which follow the playout's beats."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, cast

import numpy as np
from aiortc import RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket
from anyio import EndOfStream, WouldBlock, current_time, sleep_until, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream
from av.packet import Packet

from realtime_avatar.media.audio import Audio
from realtime_avatar.media.live import Beat
from realtime_avatar.server.codecs import (
    AUDIO_RATE,
    PACKET,
    VIDEO_CLOCK,
    OpusEncoder,
    VideoEncoder,
)

_FADE: Final = AUDIO_RATE // 200


class Pace:
    """When each moment of the playout is due: both tracks go by the same."""

    def __init__(self) -> None:
        self._start: float | None = None

    def due(self, seconds: float, now: float) -> float:
        """Return when a moment is due, by the event loop's clock.

        Args:
            seconds: The moment, since the playout's clock started.
            now: When it came to be known: never before it is due.
        """
        start = now - seconds
        self._start = start if self._start is None else min(self._start, start)
        return self._start + seconds


class VoiceTrack(MediaStreamTrack):
    """The voice as Opus packets of 20 ms, each sent when it is due.

    Args:
        beats: A stream of its own.
        pace: The call's.
        read: Told of each beat.
        paused: Tells whether the voice has been told to fall silent: what is left of a beat is
            faded out then.

    Attributes:
        late: How late the newest packet is handed over, seconds.
    """

    kind = "audio"

    def __init__(
        self,
        beats: MemoryObjectReceiveStream[Beat],
        pace: Pace,
        read: Callable[[Beat], None],
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._beats, self._pace, self._read, self._paused = beats, pace, read, paused
        self._encoder = OpusEncoder()
        self._rest: Audio | None = None  # of the beat, that is not sent yet
        self._due = 0.0  # of the packet before
        self.late = 0.0

    async def recv(self) -> "Packet[Any]":
        """Return the next packet, at its time."""
        if self._rest is not None:
            # Two at once would make the browser buffer more, and its idea of when they
            # were recorded, on which its lip-sync rests, wrong by one packet.
            self._due += PACKET / AUDIO_RATE
            await sleep_until(self._due)
            return self._packet(_faded(self._rest) if self._paused() else self._rest)
        beat = await _next(self, self._beats)
        self._due = self._pace.due(beat.audio.start / AUDIO_RATE, current_time())
        self._read(beat)
        return self._packet(beat.audio)

    def _packet(self, audio: Audio) -> "Packet[Any]":
        """Return the first packet of some sound, and keep the rest."""
        (data,) = self._encoder.encode(replace(audio, pcm=audio.pcm[:PACKET]))
        self._rest = audio.after(audio.start + PACKET) if audio.samples > PACKET else None
        packet: Packet[Any] = Packet(data)
        packet.pts, packet.time_base = audio.start, Fraction(1, AUDIO_RATE)
        self.late = current_time() - self._due
        return packet


def _faded(audio: Audio) -> Audio:
    """Return the sound faded out within 5 ms."""
    gain = np.clip(1 - np.arange(audio.samples) / _FADE, 0, 1)
    return replace(audio, pcm=(audio.pcm * gain).astype(np.int16))


class FaceTrack(MediaStreamTrack):
    """The face as encoded pictures, one a beat; those that are late are left out.

    Args:
        beats: A stream of its own.
        pace: The call's.
        encoder: Of the codec that was agreed on.
        fps: Beats a second.
        read: Told of each beat whose picture was sent.

    Attributes:
        late: As of `VoiceTrack`.
    """

    kind = "video"

    def __init__(
        self,
        beats: MemoryObjectReceiveStream[Beat],
        pace: Pace,
        encoder: VideoEncoder,
        fps: int,
        read: Callable[[Beat], None],
    ) -> None:
        super().__init__()
        self._beats, self._pace, self._encoder, self._read = beats, pace, encoder, read
        self._fps, self._ticks = fps, VIDEO_CLOCK // fps
        self.late = 0.0

    async def recv(self) -> "Packet[Any]":
        """Return the next picture."""
        while True:
            beat = await _next(self, self._beats)
            frame = beat.frame
            while True:  # only the newest of those that wait
                try:
                    beat = self._beats.receive_nowait()
                except (WouldBlock, EndOfStream):
                    break
                frame = frame if beat.frame is None else beat.frame
            due = self._pace.due(beat.index / self._fps, current_time())
            chunk = await to_thread.run_sync(self._encoder.encode, frame, beat.index)
            if chunk is None or not chunk.data:
                continue
            self._read(beat)
            self.late = current_time() - due
            packet: Packet[Any] = Packet(chunk.data)
            packet.pts, packet.time_base = beat.index * self._ticks, Fraction(1, VIDEO_CLOCK)
            packet.is_keyframe = chunk.key
            return packet


def adjust_reports(
    sender: RTCRtpSender, track: VoiceTrack | FaceTrack, heard: Callable[[], None]
) -> None:
    """Make a sender's reports exact, and hear of those that come back.

    A report then says when a packet was due rather than when it left: a browser brings sound
    and picture together by these reports, and a picture leaves some milliseconds after its
    sound because it takes longer to encode.

    Args:
        sender: Of the track.
        track: Knows how late its packets are.
        heard: Told whenever the browser reports; it does so all the time that it is there.
    """
    untyped = cast("Any", sender)
    send: Callable[[list[AnyRtcpPacket]], Awaitable[None]] = untyped._send_rtcp
    handle: Callable[[AnyRtcpPacket], Awaitable[None]] = untyped._handle_rtcp_packet

    async def corrected(packets: list[AnyRtcpPacket]) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                packet.sender_info.ntp_timestamp -= round(track.late * 2**32)
        await send(packets)

    async def noted(packet: AnyRtcpPacket) -> None:
        heard()
        await handle(packet)

    untyped._send_rtcp, untyped._handle_rtcp_packet = corrected, noted


async def _next(track: MediaStreamTrack, beats: MemoryObjectReceiveStream[Beat]) -> Beat:
    try:
        return await beats.receive()
    except EndOfStream:
        track.stop()
        raise MediaStreamError from None
