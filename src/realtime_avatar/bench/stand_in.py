"""A server that speaks Gemini's streaming protocol, for benchmarks and tests.

It answers requests to `…:streamGenerateContent?alt=sse` with what it was told to, byte by byte,
so that a test can have it hang, break off in the middle of a line or refuse. Requests for a
token, as Google's service accounts send them, get one. As a program it prints its address and
answers every question with the same few words:

    python -m realtime_avatar.bench.stand_in
"""

import base64
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import anyio
from anyio import BrokenResourceError, EndOfStream, IncompleteRead
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

PIECES: Final = ("Paris", " is the capital", " of France.")
_LARGEST: Final = 1 << 20  # bytes of a request


class Then(Enum):
    """What is done in place of sending more."""

    HANG = "keep the line, and say nothing"
    CUT = "break off"


Step = bytes | float | Then
"""Bytes to be sent, seconds to be waited, or the end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets.

    Attributes:
        steps: In order; after the last the answer is complete.
        status: Of HTTP.
    """

    steps: Sequence[Step] = ()
    status: int = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked.

    Attributes:
        path: With the query.
        headers: By their names in lower case.
        body: Parsed; None where it was no JSON.
    """

    path: str
    headers: Mapping[str, str]
    body: Any


def event(text: str = "", *, finish: str = "", **more: Any) -> bytes:
    """Return a chunk of an answer: its text, and why the model stopped if it did."""
    candidate: dict[str, Any] = {"index": 0}
    if text:
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    if finish:
        candidate["finishReason"] = finish
    return sse({"candidates": [candidate], **more})


def sound(data: bytes, *, finish: str = "", kind: str = "audio/L16;codec=pcm;rate=24000") -> bytes:
    """Return a chunk of an answer that is sound."""
    blob = {"mimeType": kind, "data": base64.b64encode(data).decode()}
    candidate: dict[str, Any] = {
        "index": 0,
        "content": {"role": "model", "parts": [{"inlineData": blob}]},
    }
    if finish:
        candidate["finishReason"] = finish
    return sse({"candidates": [candidate]})


def sse(message: Mapping[str, Any]) -> bytes:
    """Return a server-sent event."""
    return b"data: " + json.dumps(message, ensure_ascii=False).encode() + b"\r\n\r\n"


def saying(*pieces: str) -> Answer:
    """Return an answer of these pieces."""
    return Answer([*map(event, pieces[:-1]), event(pieces[-1], finish="STOP")])


def refusing(status: int, message: str, kind: str = "", **more: Any) -> Answer:
    """Return an error as Google's servers tell it."""
    error = {"code": status, "message": message, "status": kind, **more}
    return Answer([json.dumps({"error": error}).encode()], status)


@dataclass
class StandIn:
    """The server; made by `serve`.

    Attributes:
        url: Its address.
        answers: To the next requests; then `usual`.
        usual: Makes an answer of a request's body; by default it says `PIECES`.
        requests: That came, those for tokens not counted.
        tokens: That were given out.
        left: Is set when a client goes while it hangs.
    """

    url: str = ""
    answers: deque[Answer] = field(default_factory=deque[Answer])
    usual: Callable[[Any], Answer] = lambda _: saying(*PIECES)
    requests: list[Request] = field(default_factory=list[Request])
    tokens: int = 0
    left: anyio.Event = field(default_factory=anyio.Event)

    async def attend(self, connection: SocketStream) -> None:
        """Answer one client until it goes."""
        stream = BufferedByteReceiveStream(connection)
        async with connection:
            try:
                while await self._answer(await _read(stream), connection):
                    pass
            except (EndOfStream, IncompleteRead, BrokenResourceError):
                pass  # the client has gone

    async def _answer(self, request: Request, connection: SocketStream) -> bool:
        """Answer; return whether the connection stays open."""
        if request.path == "/token":
            self.tokens += 1
            token = {"access_token": f"token-{self.tokens}", "expires_in": 3600}
            return await self._send(Answer([json.dumps(token).encode()]), connection)
        self.requests.append(request)
        answer = self.answers.popleft() if self.answers else self.usual(request.body)
        return await self._send(answer, connection)

    async def _send(self, answer: Answer, connection: SocketStream) -> bool:
        if Then.CUT in answer.steps[:1]:
            return False
        kind = "text/event-stream" if answer.status == 200 else "application/json"
        await connection.send(
            f"HTTP/1.1 {answer.status} Said so\r\nContent-Type: {kind}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        for step in answer.steps:
            match step:
                case bytes():
                    await connection.send(b"%x\r\n%s\r\n" % (len(step), step))
                case Then.HANG:
                    try:
                        await connection.receive()
                    finally:
                        self.left.set()
                case Then.CUT:
                    return False
                case _:
                    await anyio.sleep(step)
        await connection.send(b"0\r\n\r\n")
        return True


@asynccontextmanager
async def serve() -> AsyncGenerator[StandIn]:
    """Serve on a free port of this machine."""
    server = StandIn()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    server.url = f"http://127.0.0.1:{port}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.attend)
        yield server
        tasks.cancel_scope.cancel()


async def _read(stream: BufferedByteReceiveStream) -> Request:
    head = (await stream.receive_until(b"\r\n\r\n", _LARGEST)).decode()
    first, *lines = head.split("\r\n")
    named = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in named}
    body = await stream.receive_exactly(int(headers.get("content-length", 0)))
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return Request(first.split(" ")[1], headers, parsed)


async def _main() -> None:
    async with serve() as server:
        print(server.url, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(_main)
