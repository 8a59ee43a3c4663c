import ctypes
import gc
import resource
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.sdp import SessionDescription

from live import Site, Visitor, open_site, until, visit
from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.session import Session
from realtime_avatar.media.live import LivePlayout
from realtime_avatar.server.calls import Call
from realtime_avatar.server.codecs import VideoEncoder, mono

pytestmark = pytest.mark.anyio
CONNECTING = anyio.Semaphore(2)


def loudness(visitor: Visitor) -> float:
    return float(np.abs(np.concatenate([mono(frame) for frame in visitor.sounds])).max())


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_typed_turn_is_seen_and_heard(codec: str):
    async with open_site() as site, visit(site, codec=codec) as visitor:
        visitor.say("good morning")
        finished = await visitor.wait_for(events.Finished)
        await anyio.sleep(0.3)
        assert finished.heard == "You said: good morning"
        words = "".join(event.text for event in visitor.of(events.Words))
        assert words == finished.heard
        assert loudness(visitor) > 3000
        assert {(frame.width, frame.height) for frame in visitor.pictures} == {(512, 512)}
        brightness = [float(frame.to_ndarray(format="gray").mean()) for frame in visitor.pictures]
        assert max(brightness) > min(brightness) + 5  # the fake face brightens as it speaks
        media = SessionDescription.parse(visitor.answer).media
        video = next(part for part in media if part.kind == "video")
        assert video.rtp.codecs[0].name == codec
        streams = {part.msid.split()[0] for part in media if part.msid}
        assert len(streams) == 1  # one stream, so that browsers keep lips and voice together


async def test_both_tracks_follow_one_clock():
    async with open_site() as site, visit(site) as visitor:
        await anyio.sleep(1.5)
        sounds, pictures = visitor.sounds[5:], visitor.pictures[5:]
        between = {(b.pts or 0) - (a.pts or 0) for a, b in pairwise(sounds)}
        assert all(step % 1920 == 960 for step in between)  # a busy machine may lose a beat
        steps = [(b.pts or 0) - (a.pts or 0) for a, b in pairwise(pictures)]
        assert all(step % 3600 == 0 for step in steps)
        assert np.median(steps) == 3600


async def test_a_spoken_turn_is_heard():
    async with open_site() as site, visit(site) as visitor:
        await anyio.sleep(0.5)
        visitor.microphone.loud = True
        await anyio.sleep(0.6)
        visitor.microphone.loud = False
        heard = await visitor.wait_for(events.Finished)
        assert heard.heard == "You said: hello there"


async def test_the_owner_may_choose_the_codec():
    async with open_site(video_codec="h264") as site, visit(site) as visitor:
        await anyio.sleep(0.5)
        media = SessionDescription.parse(visitor.answer).media
        video = next(part for part in media if part.kind == "video")
        assert video.rtp.codecs[0].name == "H264"
        assert visitor.pictures


async def test_when_full_the_next_one_is_asked_to_come_again():
    async with open_site(max_sessions=1) as site:
        async with visit(site) as visitor:
            offer = {"type": "offer", "sdp": visitor.peer.localDescription.sdp}
            response = await site.http.post("/api/v1/sessions", json=offer)
            assert response.status_code == 503
            assert int(response.headers["Retry-After"]) > 0
            assert "try again" in response.json()["error"]
            assert (await site.http.get("/ready")).status_code == 503
        await gone(site)
        async with visit(site) as visitor:
            visitor.say("now")
            await visitor.wait_for(events.Finished)


async def test_two_people_never_hear_or_remember_each_other():
    async with open_site(max_sessions=2) as site, visit(site) as one, visit(site) as two:
        one.say("the password is swordfish")
        assert "swordfish" in (await one.wait_for(events.Finished)).heard
        two.say("what was said")
        await two.wait_for(events.Finished)
        assert one.id != two.id
        assert "swordfish" not in str(two.told)
        assert len(two.of(events.Finished)) == 1
        calls = site.service.calls._calls
        remembered = [message.text for message in calls[two.id].session.history.messages]
        assert "swordfish" not in " ".join(remembered)
        assert loudness(two) > 3000


async def test_stopping_the_server_finishes_the_sentence_and_says_why():
    sentence = "this is a sentence of ten words or so"
    async with open_site() as site:
        async with visit(site, close=False) as visitor:
            visitor.say(sentence)
            await visitor.wait_for(events.Words)
            await site.service.calls.finish(10)
            finished = await visitor.wait_for(events.Finished)
            assert finished.heard == f"You said: {sentence}"
            assert not finished.interrupted
            last = await visitor.wait_for(events.Problem)
            assert last.fatal
            assert "restarted" in last.message
        response = await site.http.post("/api/v1/sessions", json={"type": "offer", "sdp": "v=0"})
        assert response.status_code == 503


async def test_nonsense_from_the_page_is_answered_and_does_no_harm():
    async with open_site() as site, visit(site) as visitor:
        for nonsense in ("", "{", '{"type":"explode"}', '{"type":"say","text":""}', "é" * 3000):
            visitor.channel.send(nonsense)
        await visitor.wait_for(events.Problem, 4)
        visitor.say("still here")
        assert (await visitor.wait_for(events.Finished)).heard == "You said: still here"


async def gone(site: Site) -> None:
    await until(lambda: not site.service.calls._calls and not site.service.calls._taken)


async def test_a_hundred_sessions_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realtime_avatar.server.calls.CONNECT", 8.0)
    monkeypatch.setattr("realtime_avatar.server.calls.LOST", 4.0)
    monkeypatch.setattr("realtime_avatar.server.avatars.SIDE", 64)
    before = conversations()  # a test that failed keeps its own for the report
    async with open_site(max_sessions=20) as site:
        at_once = anyio.CapacityLimiter(8)

        async def drop(way: Callable[[Site], Awaitable[None]]) -> None:
            async with at_once:
                await way(site)

        async def drop_all(times: int) -> None:
            async with anyio.create_task_group() as tasks:
                for _ in range(times):
                    for way in (leave, close_browser, vanish, never_connect, send_nonsense):
                        tasks.start_soon(drop, way)
            await gone(site)
            await anyio.sleep(0.2)
            gc.collect()

        await drop_all(4)  # what is made once, threads too, is there
        tasks, threads, memory = (
            len(anyio.get_running_tasks()),
            threading.active_count(),
            resident(),
        )
        await drop_all(20)
        assert len(anyio.get_running_tasks()) <= tasks
        assert [thread.name for thread in threading.enumerate() if "decoder" in thread.name] == []
        assert threading.active_count() <= threads + 10  # idle workers come and go

        def left_behind() -> list[str]:
            known = {id(one) for one in before}
            return [type(one).__name__ for one in conversations() if id(one) not in known]

        with anyio.move_on_after(30):  # tasks of aiortc may hold theirs for seconds
            while left_behind():  # noqa: ASYNC110
                await anyio.sleep(0.1)
        assert left_behind() == [], [task.name for task in anyio.get_running_tasks()]
        assert (resident() - memory) / 1e6 < 60  # MB; it goes up and down by 30
        assert "avatar_sessions 0.0" in (await site.http.get("/metrics")).text


async def test_a_connection_that_does_not_close_as_a_whole_is_stopped_part_by_part(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("realtime_avatar.server.rtc._GOODBYE", 1.0)
    before = {id(one) for one in conversations()}
    async with open_site() as site, visit(site) as visitor:
        visitor.say("hello")
        await visitor.wait_for(events.Finished)
        (peer,) = [
            one
            for one in conversations()
            if isinstance(one, RTCPeerConnection)
            and one is not visitor.peer
            and id(one) not in before
        ]
        voice, face = peer.getTransceivers()
        monkeypatch.setattr(voice, "stop", anyio.sleep_forever)
        await site.http.delete(f"/api/v1/sessions/{visitor.id}")
        await gone(site)
        assert face.sender.transport.transport.state == "closed"
        for side in (voice.sender, face.sender):
            assert vars(side)["_RTCRtpSender__rtp_task"].done()


def conversations() -> list[object]:
    """Return what is there of conversations, those that are over too."""
    gc.collect()
    kinds = (Session, Call, LivePlayout, RTCPeerConnection, VideoEncoder)
    # Not isinstance, which asks things for their class: deprecated ones of PyTorch warn then.
    return [thing for thing in gc.get_objects() if issubclass(type(thing), kinds)]


async def connect(stack: AsyncExitStack, site: Site, *, close: bool = True) -> Visitor:
    """Open a session, two at a time: it is work for a small machine."""
    async with CONNECTING:
        return await stack.enter_async_context(visit(site, close=close))


async def leave(site: Site) -> None:
    async with AsyncExitStack() as stack:
        visitor = await connect(stack, site)
        visitor.say("bye")
        await visitor.wait_for(events.Words)


async def close_browser(site: Site) -> None:
    async with AsyncExitStack() as stack:
        visitor = await connect(stack, site, close=False)
        visitor.say("a long story " * 20)
        await visitor.wait_for(events.Words)


async def vanish(site: Site) -> None:
    """Stop sending anything, as a phone in a tunnel does."""
    async with AsyncExitStack() as stack:
        visitor = await connect(stack, site, close=False)
        for transceiver in visitor.peer.getTransceivers():
            connection: Any = transceiver.sender.transport.transport._connection
            for protocol in connection._protocols:
                line = protocol.transport
                protocol.transport = SimpleNamespace(sendto=ignore, close=line.close)
        await gone_with(site, visitor.id)


async def never_connect(site: Site) -> None:
    offer = {"type": "offer", "sdp": await offer_of_nobody()}
    response = await site.http.post("/api/v1/sessions", json=offer)
    assert response.status_code == 201
    await gone_with(site, response.json()["id"])


async def send_nonsense(site: Site) -> None:
    offer = {"type": "offer", "sdp": (await offer_of_nobody())[:200]}
    assert (await site.http.post("/api/v1/sessions", json=offer)).status_code == 422


def ignore(*_: object) -> None:
    """Send nothing."""


def resident() -> int:
    """Return how much memory this process holds, without what was freed, bytes."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def gone_with(site: Site, session: str) -> None:
    await until(lambda: session not in site.service.calls._calls)


async def offer_of_nobody() -> str:
    """Return an offer that is as good as any, of somebody who has gone since."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.createDataChannel("events")
    peer.addTransceiver("audio", "sendrecv")
    peer.addTransceiver("video", "recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp
    await peer.close()
    return offer
