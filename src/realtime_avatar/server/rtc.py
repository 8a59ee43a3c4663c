"""A call over WebRTC."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, Literal, cast

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription
from aiortc.utils import uint16_gt
from anyio import CancelScope, Event, create_task_group, move_on_after
from av.audio.frame import AudioFrame
from OpenSSL import SSL

from realtime_avatar.config import IceServer, Settings
from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio
from realtime_avatar.server.calls import Call
from realtime_avatar.server.codecs import Codec, VideoEncoder, mono
from realtime_avatar.server.tracks import FaceTrack, Pace, VoiceTrack, adjust_reports

CHANNEL: Final = "events"
"""Label of the data channel."""

_GAP: Final = 1.0  # seconds of lost sound, at most, that are filled with silence
_BUFFERED: Final = 64_000  # bytes that may wait in the data channel
_LAST_WORD: Final = 0.5  # seconds for what still waits there at the end
_GOODBYE: Final = 5.0  # seconds for closing the connection


class RtcLine:
    """One peer connection, which answers a browser's offer.

    Args:
        offer: SDP.
        settings: The server's.

    Attributes:
        answer: SDP, once it is open.
    """

    def __init__(self, offer: str, settings: Settings) -> None:
        self._offer, self._settings = offer, settings
        self.answer = ""
        self._gone, self._talking = Event(), Event()
        self._channel: RTCDataChannel | None = None
        self._microphone: MediaStreamTrack | None = None

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[None]:
        """See `Line.open`."""
        self._call = call
        playout, watch = call.session.playout, call.watch
        servers = [_ice_server(server) for server in self._settings.ice_servers]
        async with AsyncExitStack() as stack:
            beats = [await stack.enter_async_context(playout.beats()) for _ in range(2)]
            peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
            stack.push_async_callback(self._close, peer)
            self._listen_to(peer)
            encoder = VideoEncoder("vp8", playout.fps, self._settings.video_bits)
            pace = Pace()
            voice = VoiceTrack(beats[0], pace, watch.sounded, lambda: playout.paused)
            face = FaceTrack(beats[1], pace, encoder, playout.fps, watch.showed)
            hearing = peer.addTransceiver(voice, "sendrecv")
            seeing = peer.addTransceiver(face, "sendonly")
            seeing.setCodecPreferences(_preference(self._settings.video_codec))
            adjust_reports(hearing.sender, voice, watch.alive)
            adjust_reports(seeing.sender, face, watch.alive)
            # aiortc asks its own encoder for a key frame, but this one is ours.
            cast("Any", seeing.sender)._send_keyframe = encoder.ask_for_key
            cast("Any", hearing.receiver)._RTCRtpReceiver__jitter_buffer = _Prompt()
            self.answer, encoder.codec = await _negotiate(peer, self._offer)
            drop_late_data(peer)
            yield

    async def carry(self) -> None:
        """See `Line.carry`."""
        async with create_task_group() as tasks:
            if self._microphone:
                tasks.start_soon(self._hear, self._microphone)
            await self._gone.wait()
            tasks.cancel_scope.cancel()

    async def send(self, message: str) -> None:
        """See `Line.send`."""
        await self._talking.wait()
        if self._channel and self._channel.readyState == "open":
            # While the page is slow its events wait in the session's own queue.
            await _drained(self._channel, _BUFFERED)
            with suppress(InvalidStateError):
                self._channel.send(message)

    def _listen_to(self, peer: RTCPeerConnection) -> None:
        def change() -> None:
            if peer.connectionState in ("failed", "closed"):
                self._gone.set()

        def track(remote: MediaStreamTrack) -> None:
            if remote.kind == "audio":
                self._microphone = remote

        def datachannel(channel: RTCDataChannel) -> None:
            if channel.label != CHANNEL or self._channel:
                return
            self._channel = channel
            channel.on("message", self._read)
            channel.on("close", self._gone.set)
            self._talking.set()

        peer.on("connectionstatechange", change)
        peer.on("track", track)
        peer.on("datachannel", datachannel)

    def _read(self, message: str | bytes) -> None:
        problem = self._call.command(message)
        if problem and self._channel:
            with suppress(InvalidStateError):  # it has just been closed
                self._channel.send(problem.model_dump_json())

    async def _hear(self, microphone: MediaStreamTrack) -> None:
        """Hand the microphone to the session, with silence where packets were lost."""
        position, due = 0, None
        while True:
            try:
                frame = cast("AudioFrame", await microphone.recv())
            except MediaStreamError:
                return
            pts = frame.pts or 0
            lost = 0 if due is None else min(pts - due, round(_GAP * frame.sample_rate))
            pcm = mono(frame)
            due = pts + len(pcm)
            if lost > 0:
                self._call.session.hear(Audio.silence(lost, frame.sample_rate, position))
                position += lost
            self._call.session.hear(Audio(pcm, frame.sample_rate, position))
            position += len(pcm)

    async def _close(self, peer: RTCPeerConnection) -> None:
        with CancelScope(shield=True):
            with move_on_after(_LAST_WORD):
                if self._channel and self._channel.readyState == "open":
                    await _drained(self._channel, 0)
            with move_on_after(_GOODBYE) as limit:
                await peer.close()
            if limit.cancelled_caught:
                await _stop(peer)
        peer.remove_all_listeners()


async def _stop(peer: RTCPeerConnection) -> None:
    """Stop the parts of a connection that would not close as a whole.

    aiortc stops them in turn, and waits for their tasks: where one has died, all parts behind
    it would send, and hold the session, until the other side is given up.
    """
    transports = {one.receiver.transport for one in peer.getTransceivers()}
    for part in [
        *(side for one in peer.getTransceivers() for side in (one.sender, one.receiver)),
        *transports,
        *(transport.transport for transport in transports),
    ]:
        with move_on_after(_GOODBYE / 5):
            await part.stop()


def drop_late_data(peer: RTCPeerConnection) -> None:
    """Drop what the data channel sends while the connection is being shut down.

    aiortc sends in tasks that nobody waits for; there the error would only be noise.
    """
    if peer.sctp is None:
        return
    untyped = cast("Any", peer.sctp.transport)
    send: Callable[[bytes], Awaitable[None]] = untyped._send_data

    async def quietly(data: bytes) -> None:
        with suppress(SSL.Error, ConnectionError):
            await send(data)

    untyped._send_data = quietly


async def _drained(channel: RTCDataChannel, amount: int) -> None:
    """Return when no more than `amount` bytes wait in the channel."""
    if channel.bufferedAmount > amount:
        low = Event()
        channel.bufferedAmountLowThreshold = amount
        channel.once("bufferedamountlow", low.set)
        await low.wait()


class _Prompt(JitterBuffer):
    """Hands on each packet of sound when it comes.

    aiortc's own holds back four, and after a loss sixteen for good: a third of a second,
    which a conversation cannot afford. A packet that comes after a later one is dropped.
    """

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self._newest: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        number = packet.sequence_number
        if self._newest is not None and not uint16_gt(number, self._newest):
            return False, None
        self._newest = number
        return False, JitterFrame(cast("Any", packet)._data, packet.timestamp)


async def _negotiate(peer: RTCPeerConnection, offer: str) -> tuple[str, Codec]:
    """Answer an offer; return the answer and the codec of the video."""
    try:
        kinds = [media.kind for media in SessionDescription.parse(offer).media]
    except Exception as error:  # the parser fails with whatever it meets
        raise InputError("the offer cannot be read as SDP") from error
    if "audio" not in kinds or "video" not in kinds:
        raise InputError("the offer must ask for sound and picture")
    try:
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
    except Exception as error:  # as above
        raise InputError(f"the offer cannot be answered: {error}") from error
    answer = peer.localDescription.sdp
    for media in SessionDescription.parse(answer).media:
        if media.kind == "video" and media.rtp.codecs:
            return answer, "h264" if media.rtp.codecs[0].name == "H264" else "vp8"
    raise InputError("the offer has no codec that is known here")


def _preference(wanted: Literal["auto", "h264", "vp8"]) -> list[Any]:
    """Return all video codecs, the preferred one first; none leaves it to the browser."""
    if wanted == "auto":
        return []
    known = RTCRtpSender.getCapabilities("video").codecs
    return sorted(known, key=lambda codec: codec.mimeType.lower() != f"video/{wanted}")


def _ice_server(server: IceServer) -> RTCIceServer:
    return RTCIceServer(list(server.urls), server.username, server.credential)
