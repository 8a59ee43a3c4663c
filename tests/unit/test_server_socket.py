import json
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.lowlevel
import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from fastapi import WebSocket
from numpy.typing import NDArray

from live import fake_settings, until
from realtime_avatar.media.live import LivePlayout
from realtime_avatar.server.calls import Call
from realtime_avatar.server.socket import HEADER, OPUS, VIDEO, Hello, SocketLine
from realtime_avatar.server.watch import Watch
from realtime_avatar.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Socket:
    """Takes what is sent while `open` is set."""

    def __init__(self) -> None:
        self.open = anyio.Event()
        self.open.set()
        self.sent: list[bytes] = []
        self.texts: list[dict[str, Any]] = []

    async def send_json(self, data: dict[str, Any]) -> None:
        self.texts.append(data)

    async def send_text(self, data: str) -> None:
        await self.open.wait()
        self.texts.append(json.loads(data))

    async def send_bytes(self, data: bytes) -> None:
        await self.open.wait()
        self.sent.append(data)

    async def receive(self) -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    def times(self, kind: int) -> list[int]:
        return [HEADER.unpack_from(frame)[2] for frame in self.sent if frame[0] == kind]


class Face:
    """Noise: every picture is different, and all are large."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    async def __call__(self) -> NDArray[np.uint8]:
        await anyio.lowlevel.checkpoint()
        return self._random.integers(0, 255, (64, 64, 3)).astype(np.uint8)


def make_line(socket: Socket) -> tuple[SocketLine, Call]:
    session: Any = SimpleNamespace(id="me", playout=LivePlayout(Face()))
    watch = Watch(Metrics(), None, 25, log_speech=False)
    hello = Hello(video="vp8")
    return SocketLine(cast("WebSocket", socket), hello, fake_settings(), (64, 64)), Call(
        session, watch
    )


async def test_one_who_is_behind_loses_pictures_but_no_sound():
    socket = Socket()
    line, call = make_line(socket)
    async with anyio.create_task_group() as tasks, line.open(call):
        tasks.start_soon(call.session.playout.run)
        tasks.start_soon(line.carry)
        await until(lambda: len(socket.times(VIDEO)) > 5)
        socket.open = anyio.Event()
        await until(lambda: len(line._outbox) >= 60)
        assert sum(isinstance(item, bytes) and item[0] == VIDEO for item in line._outbox) <= 6
        socket.open.set()
        behind = len(socket.times(VIDEO))
        await until(lambda: len(socket.times(VIDEO)) > behind + 5)
        tasks.cancel_scope.cancel()
    sounds, pictures = np.diff(socket.times(OPUS)), np.diff(socket.times(VIDEO))
    assert np.all(sounds % 40_000 == 20_000)  # but for beats that a busy machine has lost
    assert np.median(sounds) == 20_000
    assert pictures.max() > 400_000
    # Those that come after the gap need none of those that were left out.
    context = av.CodecContext.create("vp8", "r")
    assert isinstance(context, VideoCodecContext)
    video = [frame for frame in socket.sent if frame[0] == VIDEO]
    assert [frame[1] for frame in video] == [1] + [0] * (len(video) - 1)
    for frame in video:
        assert len(context.decode(av.Packet(frame[HEADER.size :]))) == 1


async def test_one_who_takes_nothing_for_ten_seconds_is_gone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime_avatar.server.socket._LOST", 20)
    socket = Socket()
    line, call = make_line(socket)
    socket.open = anyio.Event()
    async with anyio.create_task_group() as tasks, line.open(call):
        tasks.start_soon(call.session.playout.run)
        with anyio.fail_after(20):
            await line.carry()
        tasks.cancel_scope.cancel()


async def test_words_that_wait_at_the_end_are_still_sent():
    socket = Socket()
    line, call = make_line(socket)
    async with line.open(call):
        await line.send('{"type":"problem"}')
        await line.send('{"type":"bye"}')
    assert [text["type"] for text in socket.texts] == ["opened", "problem", "bye"]
