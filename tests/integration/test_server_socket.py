import json
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import anyio
import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from live import fake_settings, until
from realtime_avatar.errors import ConfigError
from realtime_avatar.media import Audio
from realtime_avatar.server.codecs import OpusDecoder, OpusEncoder
from realtime_avatar.server.run import listen, serve
from realtime_avatar.server.service import Service, open_service

pytestmark = pytest.mark.anyio
HEADER = struct.Struct("<BBQ")


@dataclass
class Host:
    service: Service
    address: str

    def connect(self, **options: Any) -> connect:
        return connect(f"ws://{self.address}/api/v1/socket", **options)


@asynccontextmanager
async def open_host(**changes: Any) -> AsyncGenerator[Host]:
    settings = fake_settings(port=0, **changes)
    with listen(settings) as listener:
        async with open_service(settings) as service, anyio.create_task_group() as tasks:
            addresses, stop = list[str](), anyio.Event()
            tasks.start_soon(serve, service, listener, addresses.append, stop)
            await until(lambda: bool(addresses))
            assert addresses[0].startswith("http://localhost:")
            yield Host(service, f"127.0.0.1:{listener.getsockname()[1]}")
            stop.set()


@dataclass
class Page:
    """What came to a page."""

    line: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sounds: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    pictures: list[tuple[int, int, bytes]] = field(default_factory=list[tuple[int, int, bytes]])

    async def read(self) -> None:
        try:
            async for frame in self.line:
                if isinstance(frame, str):
                    self.events.append(json.loads(frame))
                    continue
                kind, flags, time = HEADER.unpack_from(frame)
                if kind == 1:
                    self.sounds.append((time, frame[HEADER.size :]))
                else:
                    self.pictures.append((time, flags, frame[HEADER.size :]))
        except ConnectionClosed:
            pass

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@asynccontextmanager
async def open_page(host: Host, **hello: Any) -> AsyncGenerator[Page]:
    async with host.connect() as line, anyio.create_task_group() as tasks:
        await line.send(json.dumps({"video": "h264", **hello}))
        page = Page(line)
        tasks.start_soon(page.read)
        await until(lambda: bool(page.events))
        yield page
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("codec", "name"), [("h264", "avc1.42C01F"), ("vp8", "vp8")])
async def test_a_typed_turn_is_seen_and_heard(codec: str, name: str):
    async with open_host() as host, open_page(host, video=codec) as page:
        opened = page.events[0]
        assert opened == {
            "type": "opened",
            "id": opened["id"],
            "video_codec": name,
            "width": 512,
            "height": 512,
            "fps": 25,
        }
        await page.line.send('{"type":"say","text":"good morning"}')
        await until(lambda: bool(page.of("finished")))
        await anyio.sleep(0.2)
        assert page.of("finished")[0]["heard"] == "You said: good morning"
        # Sound: every packet of 20 ms, in order.
        times = [time for time, _ in page.sounds]
        assert all((b - a) % 40_000 == 20_000 for a, b in pairwise(times))
        decoder = OpusDecoder()
        pcm = np.concatenate([decoder.decode(packet) for _, packet in page.sounds])
        assert np.abs(pcm).max() > 3000
        # Pictures: the first one whole, all on the beat.
        assert page.pictures[0][1] == 1
        assert all(time % 40_000 == 0 for time, _, _ in page.pictures)
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, VideoCodecContext)
        frames = [f for _, _, data in page.pictures for f in context.decode(av.Packet(data))]
        assert {(frame.width, frame.height) for frame in frames} == {(512, 512)}


async def test_a_key_frame_comes_when_asked_for():
    async with open_host() as host, open_page(host) as page:
        await until(lambda: len(page.pictures) > 3)
        assert [flags for _, flags, _ in page.pictures].count(1) == 1
        await page.line.send(HEADER.pack(2, 0, 0))
        await until(lambda: [flags for _, flags, _ in page.pictures].count(1) == 2)


@pytest.mark.parametrize("kind", [1, 3])
async def test_the_microphone_is_heard(kind: int):
    rate = 48_000 if kind == 1 else 16_000
    t = np.arange(rate) / rate
    pcm = (12_000 * np.sin(2 * np.pi * 300 * t) * (t < 0.5)).astype(np.int16)
    size, encoder = rate // 50, OpusEncoder()
    async with open_host() as host, open_page(host) as page:
        for number in range(50):
            part = pcm[number * size : (number + 1) * size]
            payload = encoder.encode(Audio(part, rate, 0))[0] if kind == 1 else part.tobytes()
            await page.line.send(HEADER.pack(kind, 0, number * 20_000) + payload)
            await anyio.sleep(0.02)
        await until(lambda: bool(page.of("finished")))
        assert page.of("finished")[0]["heard"] == "You said: hello there"


async def test_nonsense_is_answered_or_left_out_and_does_no_harm():
    async with open_host() as host, open_page(host) as page:
        for frame in (b"", b"\x01", bytes(10), b"\x01" * 40, b"\x09" * 30, b"\x03" * 11):
            await page.line.send(frame)
        await page.line.send("{")
        await page.line.send('{"type":"say","text":"still here"}')
        await until(lambda: bool(page.of("finished")))
        assert len(page.of("problem")) == 1
        assert page.of("finished")[0]["heard"] == "You said: still here"


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        ("{}", "makes no sense"),
        ("nonsense", "makes no sense"),
        (b"\x01\x02", "makes no sense"),
        ('{"video":"av1"}', "makes no sense"),
        ('{"video":"vp8","avatar":"nobody"}', "avatar"),
        ('{"video":"vp8","language":"xx"}', "'xx'"),
    ],
)
async def test_a_hello_that_makes_no_sense_is_refused_in_words(hello: str | bytes, why: str):
    async with open_host() as host, host.connect() as line:
        await line.send(hello)
        problem = json.loads(await line.recv())
        assert problem["type"] == "problem"
        assert problem["fatal"]
        assert why in problem["message"]
        with pytest.raises(ConnectionClosed):
            await line.recv()


async def test_when_full_the_next_one_is_told_when_to_come_again():
    async with open_host(max_sessions=1) as host, open_page(host) as page, host.connect() as line:
        await line.send('{"video":"vp8"}')
        problem = json.loads(await line.recv())
        assert problem["fatal"]
        assert problem["retry_after"] > 0
        await page.line.send('{"type":"say","text":"undisturbed"}')
        await until(lambda: bool(page.of("finished")))


async def test_other_sites_may_not_open_one_unless_the_owner_says_so():
    async with open_host(origins=("https://friend.example",)) as host:
        with pytest.raises(InvalidStatus):
            async with host.connect(origin="https://evil.example"):
                pass
        for origin in ("https://friend.example", f"http://{host.address}"):
            async with host.connect(origin=origin) as line:
                await line.send('{"video":"vp8"}')
                assert json.loads(await line.recv())["type"] == "opened"


@pytest.mark.parametrize("politely", [True, False])
async def test_a_closed_page_ends_its_session(politely: bool):
    async with open_host() as host:
        async with open_page(host) as page:
            await page.line.send('{"type":"say","text":"a long story, long, long, long"}')
            await until(lambda: bool(page.of("words")))
            if not politely:
                page.line.transport.abort()
        await until(lambda: not host.service.calls._calls)


async def test_stopping_the_server_finishes_the_sentence_and_says_why():
    async with open_host() as host, open_page(host) as page:
        await page.line.send('{"type":"say","text":"one two three four five six seven"}')
        await until(lambda: bool(page.of("words")))
        await host.service.calls.finish(10)
        await until(lambda: bool(page.of("problem")))
        finished = page.of("finished")[0]
        assert finished["heard"] == "You said: one two three four five six seven"
        assert page.of("problem")[-1]["fatal"]
        spoken = sum(len(event["text"].split()) for event in page.of("words"))
        assert spoken == 9


async def test_a_taken_port_is_said_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen on 127"):
            listen(fake_settings(port=taken.getsockname()[1]))
