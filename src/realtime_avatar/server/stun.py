"""Asking a STUN or TURN server whether it is there: RFC 8489 and 8656, over UDP or TCP."""

from typing import Any, Final

import anyio
from aioice import stun
from aioice.turn import make_integrity_key
from aiortc.rtcicetransport import parse_stun_turn_uri
from anyio.abc import ConnectedUDPSocket

from realtime_avatar.config import IceServer

_WAITS: Final = (0.5, 1.0, 2.0)  # seconds for an answer, after each of three questions
_UDP: Final = 0x11000000  # the transport that a relay is asked for
_UNAUTHORISED: Final = 401
_NO_ANSWER = "no answer; a firewall may block UDP, or the server is down"


async def ask(url: str, server: IceServer) -> str:
    """Ask a server for an address; return what is wrong, nothing if it gives one.

    One that is spoken to over TCP or TLS is only connected to.

    Raises:
        ValueError: if it is no address of such a server.
    """
    where: dict[str, Any] = parse_stun_turn_uri(url)
    host, port = where["host"], where["port"]
    try:
        if where["scheme"] == "stuns" or where.get("transport") == "tcp":
            with anyio.fail_after(sum(_WAITS)):
                await (await anyio.connect_tcp(host, port)).aclose()
            return ""
        async with await anyio.create_connected_udp_socket(host, port) as line:
            if where["scheme"].startswith("turn"):
                return await _allocate(line, server)
            request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            return "" if await _question(line, request) else _NO_ANSWER
    except TimeoutError:
        return "no answer; a firewall may be in between, or the server is down"
    except (OSError, anyio.BrokenResourceError) as error:
        return f"it cannot be reached: {error or 'refused'}"


async def _allocate(line: ConnectedUDPSocket, server: IceServer) -> str:
    request = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
    request.attributes["REQUESTED-TRANSPORT"] = _UDP
    answer = await _question(line, request)
    if answer is not None and _error(answer) == _UNAUTHORISED:
        if not (server.username and server.credential):
            return "it wants a username and a credential"
        # The first answer only says for what realm the credential is wanted.
        request = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
        realm = answer.attributes["REALM"]
        request.attributes |= {
            "REQUESTED-TRANSPORT": _UDP,
            "USERNAME": server.username,
            "REALM": realm,
            "NONCE": answer.attributes["NONCE"],
        }
        key = make_integrity_key(server.username, realm, server.credential)
        request.add_message_integrity(key)
        answer = await _question(line, request)
    if answer is None:
        return _NO_ANSWER
    if answer.message_class == stun.Class.RESPONSE:
        return ""
    if _error(answer) == _UNAUTHORISED:
        return "it refuses the username and credential"
    code, reason = answer.attributes.get("ERROR-CODE", (0, ""))
    return f"it refuses: {code} {reason}"


async def _question(line: ConnectedUDPSocket, request: stun.Message) -> stun.Message | None:
    """Return the answer to a request, which is sent again if there is none."""
    for seconds in _WAITS:
        await line.send(bytes(request))
        with anyio.move_on_after(seconds):
            while True:
                data = await line.receive()
                try:
                    answer = stun.parse_message(data)
                except ValueError:
                    continue  # not for us
                if answer.transaction_id == request.transaction_id:
                    return answer
    return None


def _error(answer: stun.Message) -> int:
    return answer.attributes.get("ERROR-CODE", (0, ""))[0]
