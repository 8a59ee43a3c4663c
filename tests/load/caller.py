"""`python caller.py URL WAY`: somebody who calls a server, in a process to be ended anyhow.

WAY is "rtc", "offer" (who never comes) or "socket". It prints the session's id once it is
open, and hangs up properly when its standard input ends.
"""

import json
import sys
from typing import Any

import anyio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from anyio import Event, move_on_after, to_thread
from websockets.asyncio.client import connect

from realtime_avatar.bench.live_light import Microphone
from realtime_avatar.bench.live_server import ask

CLOSING = 10  # s


def tell(session: str) -> None:
    print(session, flush=True)


async def hung_up() -> None:
    await to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


async def offer(peer: RTCPeerConnection, url: str) -> Any:
    peer.addTrack(Microphone(0))
    peer.addTransceiver("video", "recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    told = {"sdp": peer.localDescription.sdp, "type": "offer"}
    return await to_thread.run_sync(ask, f"{url}/api/v1/sessions", "POST", told)


async def rtc(url: str) -> None:
    peer, opened = RTCPeerConnection(RTCConfiguration(iceServers=[])), Event()
    peer.createDataChannel("events").on("open", opened.set)
    answer = await offer(peer, url)
    await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    await opened.wait()
    tell(answer["id"])
    await hung_up()
    # aiortc waits for ever where a part of it has died on a busy machine. A tab does not.
    with move_on_after(CLOSING) as limit:
        await peer.close()
    if limit.cancelled_caught:
        print("the connection did not close; it is dropped", file=sys.stderr, flush=True)


async def only_offer(url: str) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.createDataChannel("events")
    tell((await offer(peer, url))["id"])
    await hung_up()


async def socket(url: str) -> None:
    async with connect(f"{url.replace('http', 'ws')}/api/v1/socket", proxy=None) as line:
        await line.send(json.dumps({"video": "vp8"}))
        tell(json.loads(await line.recv())["id"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain, line)
            await hung_up()
            tasks.cancel_scope.cancel()


async def drain(line: Any) -> None:
    async for _ in line:
        pass


if __name__ == "__main__":
    anyio.run({"rtc": rtc, "offer": only_offer, "socket": socket}[sys.argv[2]], sys.argv[1])
