"""`avatar bench http`: a server of its own, and programs that ask it."""

import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from anyio import (
    BrokenResourceError,
    EndOfStream,
    connect_tcp,
    create_task_group,
    current_time,
    fail_after,
    open_process,
    sleep,
)

from realtime_avatar.bench.bar import Bar
from realtime_avatar.bench.live_figures import spread
from realtime_avatar.bench.live_server import serving
from realtime_avatar.bench.machine import machine
from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.errors import EngineError

Report = dict[str, Any]
Say = Callable[[str], None]

_FIRST: Final = b'event: video\ndata: {"index": 1,'  # piece 0 has no pictures
_SETTLE: Final = 1.0  # seconds for the probe to start
_PATIENCE: Final = 600.0  # seconds for one answer


async def bench_http(runs: int, uploads: int, say: Say, settings: dict[str, str]) -> Report:
    """Measure how soon an answer begins to play, and how a crowd is dealt with.

    Args:
        runs: Times that the bundled question is asked; one more warms up.
        uploads: Recordings that are sent at once to be written down; 0: none.
        say: Told what goes on.
        settings: More `AVATAR_…` variables of the server.

    Raises:
        EngineError: if the server does not start, or answers wrongly.
    """
    report: Report = {"machine": machine()}
    say("Starting a server")
    async with serving(settings) as server:
        port = int(server.url.rsplit(":", 1)[1])
        first, whole = list[float](), list[float]()
        for run in range(runs + 1):
            say(f"Asking a question, {run} of {runs}")
            marks = await _ask(port, bundled("questions/en.flac"))
            if run:
                first.append(marks[0])
                whole.append(marks[1])
        report["first_piece"], report["complete"] = spread(first), spread(whole)
        if uploads:
            say(f"Sending {uploads} recordings at once")
            report["crowd"] = await _crowd(port, bundled("speech/jfk.wav"), uploads)
    report["bars"] = [asdict(bar) | {"met": bar.met} for bar in _bars(report)]
    return report


def _bars(report: Report) -> list[Bar]:
    first = report["first_piece"]
    bars = [Bar("first piece of an answer that plays, s, p50", first and first["p50"], most=3)]
    if crowd := report.get("crowd"):
        ready = crowd["ready"]
        bars.append(Bar("/ready beside a crowd, ms, p95", ready and ready["p95"] * 1000, most=50))
        bars.append(Bar("uploads that nobody answered", crowd["dropped"], most=0))
        bars.append(Bar("refusals without Retry-After", crowd["rude"], most=0))
    return bars


async def _ask(port: int, question: Path) -> tuple[float, float]:
    """Return the seconds to the first piece with pictures, and to the end."""
    began, first, text = current_time(), 0.0, b""
    async with aclosing(
        _send(port, _upload("/api/v1/conversation/stream", "audio", question))
    ) as parts:
        async for part in parts:
            text += part
            at = text.find(_FIRST)
            if not first and at >= 0 and text.find(b"\n\n", at + len(_FIRST)) >= 0:
                first = current_time() - began
    if not first or b"event: complete" not in text:
        raise EngineError("server", text[-300:].decode(errors="replace"))
    return first, current_time() - began


async def _crowd(port: int, recording: Path, count: int) -> Report:
    """Send a recording many times at once; return how it was answered, and how /ready was."""
    answered, took = Counter[str](), list[float]()
    rude = 0
    upload = _upload("/v1/audio/transcriptions", "file", recording, model="whisper-1")
    began = 0.0

    async def send() -> None:
        nonlocal rude
        status, head = await _answer(port, upload)
        answered[status] += 1
        took.append(current_time() - began)
        rude += status in ("429", "503") and b"\r\nretry-after:" not in head

    probe = [sys.executable, "-m", "realtime_avatar.bench.ready_probe", str(port)]
    async with await open_process(probe, stderr=None) as looking:
        assert looking.stdin is not None
        assert looking.stdout is not None
        await sleep(_SETTLE)
        began = current_time()
        async with create_task_group() as sending:
            for _ in range(count):
                sending.start_soon(send)
        seconds = current_time() - began
        await looking.stdin.aclose()
        ready = json.loads(b"".join([part async for part in looking.stdout]))
    return {
        "uploads": count,
        "answered": dict(answered),
        "dropped": count - sum(answered[status] for status in ("200", "429", "503")),
        "rude": rude,
        "seconds": seconds,
        "took": spread(took),
        "ready": spread(ready),
    }


async def _answer(port: int, request: bytes) -> tuple[str, bytes]:
    """Return an answer's status and, in lower case, its head; "" where there is none."""
    text = b""
    async with aclosing(_send(port, request)) as parts:
        async for part in parts:
            text += part
    head = text.partition(b"\r\n\r\n")[0].lower()
    words = head.split(b" ", 2)
    return (words[1].decode() if len(words) > 1 else ""), head


async def _send(port: int, request: bytes) -> AsyncGenerator[bytes]:
    """Send a request; yield the answer, head and all, as it comes."""
    with fail_after(_PATIENCE):
        try:
            async with await connect_tcp("127.0.0.1", port) as line:
                await line.send(request)
                while True:
                    yield await line.receive()
        except (EndOfStream, BrokenResourceError, OSError):
            return


def _upload(path: str, name: str, file: Path, **fields: str) -> bytes:
    border = token_hex(8)
    parts = [_part(border, f'name="{field}"', value.encode()) for field, value in fields.items()]
    parts.append(_part(border, f'name="{name}"; filename="upload"', file.read_bytes()))
    body = b"".join(parts) + f"--{border}--\r\n".encode()
    return _request("POST", path, body, f"multipart/form-data; boundary={border}")


def _part(border: str, about: str, data: bytes) -> bytes:
    head = f"--{border}\r\nContent-Disposition: form-data; {about}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def _request(method: str, path: str, body: bytes = b"", kind: str = "text/plain") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
