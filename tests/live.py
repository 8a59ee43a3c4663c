"""A server with engines that need no weights, and a WebRTC client for it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import anyio
import httpx2
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from pydantic import TypeAdapter

from realtime_avatar.config import Settings, load_settings
from realtime_avatar.dialogue import events
from realtime_avatar.server.app import create_app
from realtime_avatar.server.rtc import drop_late_data
from realtime_avatar.server.service import Service, open_service

T = TypeVar("T")
_EVENT: TypeAdapter[events.Event] = TypeAdapter(events.Event)


async def until(true: Callable[[], bool]) -> None:
    """Return when something is so; fail if it takes half a minute."""
    with anyio.fail_after(30):
        while not true():  # noqa: ASYNC110 - it is what anything at all depends on
            await anyio.sleep(0.02)


def fake_settings(**changes: Any) -> Settings:
    """Settings with fake engines."""
    engines = dict.fromkeys(("detector", "recognizer", "endpointer", "chat", "face"), "fake")
    voice = dict.fromkeys(("en", "zh", "es"), "fake")
    few = {"voice": voice, "finish_seconds": 5, "database": "none"}
    return load_settings(**{**engines, **few, **changes})


@dataclass
class Site:
    """A service and an HTTP client for it."""

    service: Service
    http: httpx2.AsyncClient


@asynccontextmanager
async def open_site(**changes: Any) -> AsyncGenerator[Site]:
    """Serve with fake engines, in this process and without a port."""
    async with open_service(fake_settings(**changes)) as service:
        transport = httpx2.ASGITransport(create_app(service), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Site(service, http)


class Microphone(MediaStreamTrack):
    """Silence in packets of 20 ms, and a tone while `loud` is set."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.loud = False
        self._sent = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        now = anyio.current_time()
        self._start = now if self._start is None else self._start
        await anyio.sleep_until(self._start + self._sent / 48_000)
        at = np.arange(self._sent, self._sent + 960) / 48_000
        tone = 12_000 * np.sin(2 * np.pi * 300 * at) if self.loud else np.zeros(960)
        frame = AudioFrame.from_ndarray(tone.astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._sent, Fraction(1, 48_000)
        self._sent += 960
        return frame


@dataclass
class Visitor:
    """Somebody with a browser; made by `visit`."""

    peer: RTCPeerConnection
    channel: RTCDataChannel
    microphone: Microphone
    id: str = ""
    answer: str = ""
    told: list[events.Event] = field(default_factory=list[events.Event])
    pictures: list[VideoFrame] = field(default_factory=list[VideoFrame])
    sounds: list[AudioFrame] = field(default_factory=list[AudioFrame])

    def say(self, text: str) -> None:
        self.channel.send(events.Say(text=text).model_dump_json())

    def of(self, kind: type[T]) -> list[T]:
        """Return the events of a kind so far."""
        return [event for event in self.told if isinstance(event, kind)]

    async def wait_for(self, kind: type[T], count: int = 1) -> T:
        """Return the event of a kind, when there are so many of it."""
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]


@asynccontextmanager
async def visit(
    site: Site, *, codec: str = "", close: bool = True, **wish: Any
) -> AsyncGenerator[Visitor]:
    """Open a session over WebRTC, as the page does.

    Args:
        site: Where.
        codec: Preferred for video: "H264" or "VP8".
        close: Whether to end it politely.
        wish: What else to ask for.
    """
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("events")
    visitor = Visitor(peer, channel, Microphone())
    async with anyio.create_task_group() as tasks:

        async def keep(track: MediaStreamTrack, into: list[Any]) -> None:
            try:
                while True:
                    into.append(await track.recv())
            except MediaStreamError:
                pass

        def track(remote: MediaStreamTrack) -> None:
            video = remote.kind == "video"
            tasks.start_soon(keep, remote, visitor.pictures if video else visitor.sounds)

        def message(text: str) -> None:
            visitor.told.append(_EVENT.validate_json(text))

        peer.on("track", track)
        channel.on("message", message)
        try:
            peer.addTransceiver(visitor.microphone, "sendrecv")
            seeing = peer.addTransceiver("video", "recvonly")
            if codec:
                known = RTCRtpReceiver.getCapabilities("video")
                assert known is not None
                chosen = [c for c in known.codecs if codec in c.mimeType or "rtx" in c.mimeType]
                seeing.setCodecPreferences(chosen)
            await peer.setLocalDescription(await peer.createOffer())
            offer = {"type": "offer", "sdp": peer.localDescription.sdp, **wish}
            response = await site.http.post("/api/v1/sessions", json=offer)
            assert response.status_code == 201, response.text
            visitor.id, visitor.answer = response.json()["id"], response.json()["sdp"]
            await peer.setRemoteDescription(RTCSessionDescription(visitor.answer, "answer"))
            drop_late_data(peer)
            await until(lambda: channel.readyState == "open")
            yield visitor
        finally:
            with anyio.CancelScope(shield=True):
                if close and visitor.id:
                    await site.http.delete(f"/api/v1/sessions/{visitor.id}")
                await peer.close()
            tasks.cancel_scope.cancel()
