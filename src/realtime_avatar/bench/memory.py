"""What keeping conversations costs: when a turn is durable, and what the voice notices of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from anyio import create_task_group, current_time
from websockets.asyncio.client import connect

from realtime_avatar.bench.live_figures import spread
from realtime_avatar.bench.live_server import serving
from realtime_avatar.bench.machine import machine
from realtime_avatar.identity.conversations import Heading, Turn
from realtime_avatar.identity.store import Entry, open_store
from realtime_avatar.server.socket import HEADER, OPUS

_KINDS: Final = ("DETECTOR", "RECOGNIZER", "ENDPOINTER", "CHAT", "FACE")
_FAKES: Final = {f"AVATAR_{kind}": "fake" for kind in _KINDS} | {
    "AVATAR_VOICE": '{"en": "fake", "zh": "fake", "es": "fake"}'
}
_TEXT: Final = "Tell me what the weather will be like in the mountains on Saturday, please"


async def bench_memory(
    database: str, turns: int, sessions: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure what keeping conversations costs.

    Args:
        database: Setting of a database of its own; empty: an SQLite file that is thrown away.
        turns: To write, and to hold in each conversation.
        sessions: Conversations at once, with engines that compute nothing.
        say: Told what goes on.

    Returns:
        Seconds, each as p50, p95, p99 and the worst: `write`, one turn of a conversation of
        so many, durable; `search` and `delete` with all of them there; and with and without
        a database, how late packets of the voice come.
    """
    with TemporaryDirectory() as folder:
        where = database or str(Path(folder) / "kept.db")
        say("Writing turns")
        report = await _bench_store(where, turns)
        for name, kept in (("without", "none"), ("with", where)):
            say(f"Talking {name} a database")
            settings = {"AVATAR_DATABASE": kept, "AVATAR_MAX_SESSIONS": str(sessions)}
            async with serving(_FAKES | settings) as server:
                late = list[float]()
                async with create_task_group() as tasks:
                    for _ in range(sessions):
                        tasks.start_soon(_talk, server.url, turns, late)
            report[name] = {"late": spread(late)}
    return {"machine": machine(), "turns": turns, "sessions": sessions, **report}


async def _bench_store(where: str, turns: int) -> dict[str, Any]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    heading = Heading("bench", "nobody", "default", "Ava", "en", start)
    write = list[float]()
    async with open_store(where) as store:
        for number in range(1, turns + 1):
            at = start + timedelta(seconds=10 * number)
            turn = Turn(number, f"{_TEXT} {number}", at, "en", f"It will be sunny, {number}.")
            for state in (turn, replace(turn, state="answered", ended_s=10.0 * number)):
                began = perf_counter()
                await store.write([Entry(heading, state, first=number == 1)])
                write.append(perf_counter() - began)
        began = perf_counter()
        await store.list("nobody", "saturday sunny")
        search = perf_counter() - began
        began = perf_counter()
        await store.delete("bench", None)
        return {"write": spread(write), "search": search, "delete": perf_counter() - began}


async def _talk(url: str, turns: int, late: list[float]) -> None:
    """Hold a typed conversation; note how late each packet of sound comes, seconds."""
    address = url.replace("http", "ws", 1) + "/api/v1/socket"
    first: float | None = None
    async with connect(address, max_queue=None) as line:
        await line.send(json.dumps({"video": "vp8"}))
        left = turns
        await line.send(json.dumps({"type": "say", "text": _TEXT}))
        async for frame in line:
            now = current_time()
            if isinstance(frame, bytes):
                kind, _, at = HEADER.unpack_from(frame)
                if kind == OPUS:
                    origin = now - at / 1e6
                    first = origin if first is None else min(first, origin)
                    late.append(origin - first)
            elif json.loads(frame)["type"] == "finished":
                left -= 1
                if not left:
                    return
                await line.send(json.dumps({"type": "say", "text": _TEXT}))
