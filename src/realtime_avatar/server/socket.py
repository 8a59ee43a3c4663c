"""A call over one WebSocket, for networks that block UDP.

Text frames are the events and commands of `dialogue.events`. Binary frames are:

    byte 0       kind: 1 an Opus packet (48 kHz, mono, 20 ms), 2 a picture (Annex B H.264 or
                 VP8), 3 PCM (16 kHz, mono, int16, little-endian)
    byte 1       flags: bit 0, a key frame
    bytes 2-9    time on the sender's clock, microseconds, uint64, little-endian
    bytes 10-    the payload

The page sends its microphone as kind 1 or 3; an empty frame of kind 2 asks for a key frame.
"""

import struct
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, Literal

import numpy as np
from anyio import Event, create_task_group, fail_after, move_on_after, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from numpy.typing import NDArray
from pydantic import ValidationError

from realtime_avatar.config import Settings
from realtime_avatar.dialogue import events
from realtime_avatar.errors import AvatarError, CapacityError
from realtime_avatar.media import Audio
from realtime_avatar.media.live import Beat
from realtime_avatar.server.calls import Call
from realtime_avatar.server.codecs import (
    AUDIO_RATE,
    PACKET,
    OpusDecoder,
    OpusEncoder,
    VideoEncoder,
    web_codec,
)
from realtime_avatar.server.guard import same_site
from realtime_avatar.server.owner import owner_of
from realtime_avatar.server.service import Service
from realtime_avatar.server.wishes import Wish, service_of

socket_router = APIRouter(prefix="/api/v1")

OPUS, VIDEO, PCM = 1, 2, 3
HEADER: Final = struct.Struct("<BBQ")

_PCM_RATE: Final = 16_000
_HELLO: Final = 10.0  # seconds for the first message
_BEHIND: Final = 6  # packets that wait: pictures are left out until there are fewer
_LOST: Final = 500  # packets that wait: ten seconds of voice, and nobody takes them
_LAST_WORD: Final = 1.0  # seconds
_POLICY: Final = 1008  # WebSocket close code: not from this site
_CLOSED: Final = (WebSocketDisconnect, RuntimeError)  # what sending into a closed one raises


class Hello(Wish):
    """The page's first message."""

    video: Literal["h264", "vp8"]


class SocketLine:
    """One WebSocket, accepted.

    Args:
        socket: It.
        hello: What the page wants.
        settings: The server's.
        size: Width and height of the pictures.
    """

    def __init__(
        self, socket: WebSocket, hello: Hello, settings: Settings, size: tuple[int, int]
    ) -> None:
        self._socket, self._hello, self._settings, self._size = socket, hello, settings, size
        self._outbox: deque[bytes | str] = deque()
        self._more, self._gone = Event(), Event()
        self._decoder = OpusDecoder()
        self._kind = 0  # of the microphone's frames
        self._heard = 0  # its samples

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncGenerator[None]:
        """See `Line.open`."""
        self._call = call
        playout, codec = call.session.playout, self._hello.video
        width, height = self._size
        self._encoder = VideoEncoder(codec, playout.fps, self._settings.video_bits)
        opened = {
            "type": "opened",
            "id": call.session.id,
            "video_codec": web_codec(codec, width, height),
            "width": width,
            "height": height,
            "fps": playout.fps,
        }
        async with AsyncExitStack() as stack:
            self._beats = [await stack.enter_async_context(playout.beats()) for _ in range(2)]
            await self._socket.send_json(opened)
            yield
            # Of what waits, the words still matter.
            with move_on_after(_LAST_WORD, shield=True), suppress(*_CLOSED):
                for item in self._outbox:
                    if isinstance(item, str):
                        await self._socket.send_text(item)

    async def carry(self) -> None:
        """See `Line.carry`."""
        async with create_task_group() as tasks:
            tasks.start_soon(self._write)
            tasks.start_soon(self._read)
            tasks.start_soon(self._speak, self._beats[0])
            tasks.start_soon(self._show, self._beats[1])
            await self._gone.wait()
            tasks.cancel_scope.cancel()

    async def send(self, message: str) -> None:
        """See `Line.send`."""
        self._post(message)

    def _post(self, item: bytes | str) -> None:
        if len(self._outbox) >= _LOST:
            self._gone.set()
            return
        self._outbox.append(item)
        self._more.set()

    async def _write(self) -> None:
        with suppress(*_CLOSED):
            while True:
                while self._outbox:
                    item = self._outbox.popleft()
                    if isinstance(item, str):
                        await self._socket.send_text(item)
                    else:
                        await self._socket.send_bytes(item)
                    self._call.watch.alive()
                self._more = Event()
                await self._more.wait()
        self._gone.set()

    async def _speak(self, beats: MemoryObjectReceiveStream[Beat]) -> None:
        encoder = OpusEncoder()
        async for beat in beats:
            for number, packet in enumerate(encoder.encode(beat.audio)):
                at = (beat.audio.start + number * PACKET) * 1_000_000 // AUDIO_RATE
                self._post(HEADER.pack(OPUS, 0, at) + packet)
            self._call.watch.sounded(beat)

    async def _show(self, beats: MemoryObjectReceiveStream[Beat]) -> None:
        fps, missed = self._call.session.playout.fps, None
        async for beat in beats:
            frame = missed if beat.frame is None else beat.frame
            if len(self._outbox) > _BEHIND:
                missed = frame  # before it is encoded, so that those after it can be decoded
                continue
            missed = None
            chunk = await to_thread.run_sync(self._encoder.encode, frame, beat.index)
            if chunk is not None and chunk.data:
                header = HEADER.pack(VIDEO, int(chunk.key), beat.index * 1_000_000 // fps)
                self._post(header + chunk.data)
                self._call.watch.showed(beat)

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._gone.set()
                return
            if (text := message.get("text")) is None:
                self._take(message["bytes"])
            elif problem := self._call.command(text):
                self._post(problem.model_dump_json())

    def _take(self, frame: bytes) -> None:
        """Take a binary frame; what is none is left out."""
        if len(frame) < HEADER.size:
            return
        kind, payload = frame[0], frame[HEADER.size :]
        if kind == VIDEO:
            self._encoder.ask_for_key()
        elif kind == OPUS and self._kind in (0, OPUS):
            with suppress(ValueError):
                self._hear(OPUS, self._decoder.decode(payload), AUDIO_RATE)
        elif kind == PCM and self._kind in (0, PCM):
            whole = payload[: len(payload) // 2 * 2]
            self._hear(PCM, np.frombuffer(whole, "<i2").astype(np.int16), _PCM_RATE)

    def _hear(self, kind: int, pcm: NDArray[np.int16], rate: int) -> None:
        self._kind = kind
        self._call.session.hear(Audio(pcm, rate, self._heard))
        self._heard += len(pcm)


@socket_router.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    """Hold a call over a WebSocket."""
    service = service_of(websocket)
    # Browsers let any page open a WebSocket to anywhere.
    if not same_site(websocket.headers, service.settings):
        await websocket.close(_POLICY)
        return
    await websocket.accept()
    try:
        await _hold(websocket, service)
    except (TimeoutError, WebSocketDisconnect):
        pass
    except (AvatarError, ValidationError) as error:
        await _refuse(websocket, error)
    with suppress(*_CLOSED):
        await websocket.close()


async def _hold(websocket: WebSocket, service: Service) -> None:
    with fail_after(_HELLO):
        message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return
    hello = Hello.model_validate_json(message.get("text") or "")
    order = await hello.order(service, owner_of(websocket))
    size = order.rig.width, order.rig.height
    await service.calls.run(order, SocketLine(websocket, hello, service.settings, size))


async def _refuse(websocket: WebSocket, error: Exception) -> None:
    said = str(error) if isinstance(error, AvatarError) else "the first message makes no sense"
    problem: dict[str, Any] = events.Problem(message=said, fatal=True).model_dump()
    if isinstance(error, CapacityError):
        problem["retry_after"] = error.retry_after
    with suppress(*_CLOSED):
        await websocket.send_json(problem)
