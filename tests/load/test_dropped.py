"""Sessions that end in every way leave nothing behind in the server."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from anyio import fail_after, sleep, to_thread

from realtime_avatar.bench.live_server import Server, ask, serving
from serving import FAKES

pytestmark = [pytest.mark.anyio, pytest.mark.load]

COUNT = int(os.environ.get("AVATAR_DROPPED", "100"))
AT_ONCE = 5
LONGEST = 90  # s until a server notices that somebody has gone
SETTINGS = FAKES | {"AVATAR_MAX_SESSIONS": str(2 * AT_ONCE)}

Process = subprocess.Popen[str]


def call(url: str, way: str) -> tuple[Process, str]:
    """Call a server; return once the session is open."""
    caller = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("caller.py")), url, way],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.stdout is not None
    session = caller.stdout.readline().strip()
    assert session, "the call was not taken"
    return caller, session


def hang_up(url: str, caller: Process, session: str) -> None:
    ask(f"{url}/api/v1/sessions/{session}", "DELETE")


def close_tab(url: str, caller: Process, session: str) -> None:
    assert caller.stdin is not None
    caller.stdin.close()


def kill(url: str, caller: Process, session: str) -> None:
    caller.kill()


def half_open(url: str, caller: Process, session: str) -> None:
    """The connection stays, but nobody answers on it any more."""
    caller.send_signal(signal.SIGSTOP)


Drop = Callable[[str, Process, str], None]
WAYS: list[tuple[str, Drop]] = [
    ("rtc", hang_up),
    ("rtc", close_tab),
    ("rtc", kill),
    ("rtc", half_open),
    ("offer", kill),
    ("socket", hang_up),
    ("socket", close_tab),
    ("socket", kill),
    ("socket", half_open),
]


def sessions(server: Server) -> int:
    with build_opener(ProxyHandler({})).open(f"{server.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(
        float(next(line for line in lines if line.startswith("avatar_sessions ")).split()[1])
    )


async def all_gone(server: Server) -> None:
    with fail_after(LONGEST):
        while await to_thread.run_sync(sessions, server):  # noqa: ASYNC110 (it is elsewhere)
            await sleep(0.5)


async def drop(server: Server, ways: list[tuple[str, Drop]]) -> None:
    """Let some people call at once and go, each in their way; return when all have gone."""
    async with AsyncExitStack() as ends:
        for way, how in ways:
            caller, session = await to_thread.run_sync(call, server.url, way)
            ends.callback(end, caller)
            await to_thread.run_sync(how, server.url, caller, session)
        await all_gone(server)


def end(caller: Process) -> None:
    caller.kill()
    caller.wait()
    for pipe in (caller.stdin, caller.stdout):
        assert pipe is not None
        pipe.close()


def held(server: Server) -> dict[str, Any]:
    """Return the memory in MB, threads and open files of a server."""
    usage = server.usage()
    assert usage is not None
    files = len(list(Path(f"/proc/{server.process}/fd").iterdir()))
    return {"memory": usage[0] / 1e6, "threads": usage[1], "files": files}


async def test_sessions_dropped_in_every_way_leave_nothing_behind():
    """What stays is the least that is held: the allocator keeps up to 40 MB more for a while."""
    async with serving(SETTINGS) as server:
        await drop(server, WAYS)  # what is loaded at the first of each stays
        left, found = list(islice(cycle(WAYS), COUNT)), list[dict[str, Any]]()
        for first in range(0, COUNT, AT_ONCE):
            await drop(server, left[first : first + AT_ONCE])
            found.append(held(server))
        assert ask(f"{server.url}/ready")["places"] == 2 * AT_ONCE
    before, after = (
        {key: min(one[key] for one in part) for key in part[0]} for part in (found[:5], found[-5:])
    )
    print(before, after, [round(one["memory"]) for one in found])
    assert after["files"] <= before["files"] + 2
    assert after["threads"] <= before["threads"] + 2
    assert after["memory"] <= before["memory"] + 20
