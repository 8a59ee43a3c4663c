"""`python -m realtime_avatar.bench.live_light PLAN FOLDER`: a person, without a browser.

A WebRTC client by aiortc in a process of its own. It speaks recordings into a microphone
that runs in real time in a quiet room, and keeps what it hears and sees. It needs little of
the processor: what it measures is the server.
"""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, Final, cast

import anyio
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from anyio import (
    Event,
    create_task_group,
    current_time,
    move_on_after,
    sleep,
    sleep_until,
    to_thread,
)
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from realtime_avatar.bench.live_face import find_face
from realtime_avatar.bench.live_plan import PATIENCE, PAUSE, SETTLE, TALKING, Plan
from realtime_avatar.bench.live_question import HOP, RATE, Question, levels, read_question, room
from realtime_avatar.bench.live_recording import Asked, Box, Recording
from realtime_avatar.bench.live_rtp import Stream, played, shown
from realtime_avatar.bench.live_server import ask
from realtime_avatar.errors import AvatarError, EngineError

PACKET: Final = RATE // 50
"""Samples of one packet of the microphone."""

AUDIBLE: Final = 10 ** (-45 / 20)
"""RMS level from which a sound counts as heard, of full scale."""

_TICK = 0.02  # seconds between two looks at what has happened
_CONNECT = 30.0  # seconds
_LONGEST = 90.0  # seconds of an answer


class Microphone(MediaStreamTrack):
    """Sends 20 ms when they have passed, as a microphone does: a room, and who speaks in it."""

    kind = "audio"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._room = room(10 * RATE, seed)
        self._start = 0.0
        self._sent = 0
        self._speech: NDArray[np.int16] = np.zeros(0, np.int16)

    def speak(self, question: Question) -> tuple[float, float]:
        """Speak from the next packet on; return when its speech begins and ends."""
        self._speech = question.pcm
        begin = self._start + self._sent / RATE
        return begin + question.first / RATE, begin + question.last / RATE

    async def recv(self) -> AudioFrame:
        self._start = self._start or current_time()
        await sleep_until(self._start + (self._sent + PACKET) / RATE)
        at = self._sent % len(self._room)
        pcm = self._room[at : at + PACKET].astype(np.int32)
        now, self._speech = self._speech[:PACKET], self._speech[PACKET:]
        pcm[: len(now)] += now
        pcm = np.clip(pcm, -32768, 32767).astype(np.int16)
        frame = AudioFrame.from_ndarray(pcm[None], "s16", "mono")
        frame.sample_rate, frame.pts = RATE, self._sent
        frame.time_base = Fraction(1, RATE)
        self._sent += PACKET
        return frame


class Person:
    """Talks with the avatar as a plan says.

    Args:
        plan: What to do.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._sessions = plan, f"{plan.url}/api/v1/sessions"
        self._questions = [read_question(Path(path)) for path in plan.questions]
        self._random = Random(plan.seed)
        self._microphone = Microphone(plan.seed)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # asks nobody else
        self._voice, self._face = Stream(RATE), Stream(90_000)
        self._levels: list[tuple[int, NDArray[np.float32]]] = []
        self._sounds: list[NDArray[np.int16]] = []
        self._pictures: list[int] = []
        self._faces: list[bytes] = []
        self._asked: list[Asked] = []
        self._events: list[tuple[float, dict[str, Any]]] = []
        self._open, self._lost = Event(), Event()
        self._picture: VideoFrame | None = None
        self._box: Box | None = None
        self._watching = False
        self._audible = 0.0  # when something was heard last
        self._sounding_since = 0.0  # when what is heard began, after a pause

    async def converse(self) -> Recording:
        """Ask every question; return what was perceived.

        Raises:
            EngineError: if the server refuses, or the connection fails or gets lost.
        """
        session = ""
        try:
            with move_on_after(_CONNECT):
                session = await self._connect()
            if not session:
                raise EngineError("bench", f"there is no connection after {_CONNECT:.0f} s")
            async with create_task_group() as tasks:
                tasks.start_soon(self._talk, tasks.cancel_scope.cancel)
                tasks.start_soon(self._give_up, tasks.cancel_scope.cancel)
                for track in (self._voice.track, self._face.track):
                    take = self._hear if track.kind == "audio" else self._see
                    tasks.start_soon(self._take, track, take)
        finally:
            with anyio.CancelScope(shield=True):
                await self._peer.close()
                if session and not self._lost.is_set():
                    await to_thread.run_sync(ask, f"{self._sessions}/{session}", "DELETE")
        return self._recording()

    async def _connect(self) -> str:
        peer = self._peer
        peer.addTrack(self._microphone)
        peer.addTransceiver("video", "recvonly")
        channel = peer.createDataChannel("events", ordered=True)
        channel.on("message", self._note)
        channel.on("open", self._open.set)

        def change() -> None:
            if peer.connectionState in ("failed", "closed"):
                self._lost.set()

        peer.on("connectionstatechange", change)
        await peer.setLocalDescription(await peer.createOffer())
        offer = {"sdp": peer.localDescription.sdp, "type": "offer"}
        answer = await to_thread.run_sync(ask, self._sessions, "POST", offer)
        for transceiver in peer.getTransceivers():
            stream = self._voice if transceiver.kind == "audio" else self._face
            stream.follow(transceiver.receiver)
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        await self._open.wait()
        return answer["id"]

    def _note(self, message: str) -> None:
        self._events.append((current_time(), json.loads(message)))

    async def _take(self, track: MediaStreamTrack, take: Callable[[Any], None]) -> None:
        while True:
            try:
                take(await track.recv())
            except MediaStreamError:
                self._lost.set()
                return

    def _hear(self, frame: AudioFrame) -> None:
        pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).astype(np.int32)
        mono = pcm.mean(1).astype(np.int16)
        level = levels(mono)
        self._levels.append((cast("int", frame.pts), level))
        self._sounds.append(mono[: len(level) * HOP])
        if level.max(initial=0) > AUDIBLE:
            now = current_time()
            if now - self._audible > 0.5:
                self._sounding_since = now
            self._audible = now

    def _see(self, frame: VideoFrame) -> None:
        self._picture = frame
        if not self._watching:
            return
        self._pictures.append(cast("int", frame.pts))
        if self._box:
            self._faces.append(self._box.cut(_luma(frame)))

    async def _give_up(self, end: Callable[[], None]) -> None:
        await self._lost.wait()
        end()
        raise EngineError("bench", "the connection was lost")

    async def _talk(self, end: Callable[[], None]) -> None:
        plan = self._plan
        if not await self._until(lambda: self._picture is not None, _CONNECT):
            raise EngineError("bench", f"there is no picture after {_CONNECT:.0f} s")
        await sleep(SETTLE / 2)
        picture = cast("Any", self._picture).to_ndarray(format="rgb24")
        self._box = await to_thread.run_sync(find_face, picture)
        self._watching = True
        await sleep(SETTLE / 2)
        for number in range(plan.warm + plan.turns):
            over = plan.interrupts(number) and await self._is_talking()
            question = self._questions[number % len(self._questions)]
            first, last = self._microphone.speak(question)
            self._asked.append(Asked(question.name, first, last, over, number >= plan.warm))
            await sleep_until(last)
            if not plan.interrupts(number + 1):
                await self._answered(last)
        await sleep(0.5)
        end()

    async def _is_talking(self) -> bool:
        """Wait until the avatar has talked for a while; return whether it does."""
        last = self._asked[-1].last
        began = await self._until(lambda: self._sounding_since > last, PATIENCE)
        if began:
            await sleep_until(self._sounding_since + TALKING)
        return began and current_time() - self._audible < 0.1

    async def _answered(self, last: float) -> None:
        """Wait until there was an answer and it is over, or none comes."""
        if not await self._until(lambda: self._sounding_since > last, PATIENCE):
            return
        pause = PAUSE * (1 + self._random.random())

        def over() -> bool:
            finished = any(
                at > last and event["type"] == "finished" for at, event in reversed(self._events)
            )
            return finished and current_time() - self._audible > pause

        await self._until(over, _LONGEST)

    async def _until(self, condition: Callable[[], bool], patience: float) -> bool:
        until = current_time() + patience
        while not condition():
            if current_time() > until:
                return False
            await sleep(_TICK)
        return True

    def _recording(self) -> Recording:
        heard = played(self._voice)
        blocks = [level for _, level in self._levels]
        starts = np.interp([pts for pts, _ in self._levels], *heard)
        steps = np.arange(max(map(len, blocks))) * (HOP / RATE)
        times = [at + steps[: len(block)] for at, block in zip(starts, blocks, strict=True)]
        return Recording(
            np.concatenate(blocks),
            np.concatenate(times),
            np.concatenate(self._sounds),
            np.interp(self._pictures, *shown(self._face, self._voice, heard)),
            self._faces,
            self._asked,
            self._events,
        )


def _luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """Return the brightness of a decoded picture, whose planes are Y, U and V."""
    plane = frame.planes[0]
    rows = np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def main() -> None:
    plan, folder = Plan.read(Path(sys.argv[1])), Path(sys.argv[2])
    problem = ""
    try:
        anyio.run(Person(plan).converse).save(folder)
    except* AvatarError as group:
        problem = str(group.exceptions[0])
    sys.exit(problem or 0)  # not above: Debian's Python 3.11.2 makes a group of it


if __name__ == "__main__":
    main()
