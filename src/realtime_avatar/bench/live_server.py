"""`avatar serve` in a process of its own, for as long as it is measured."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from anyio import CancelScope, current_time, sleep, to_thread

from realtime_avatar.errors import EngineError

LOADING: Final = 180.0
"""Seconds after which a server that is not ready counts as broken."""

_ENDING = 40.0  # seconds, after which it is killed
_PATIENCE = 30.0  # seconds for one request
# The server is on this machine: no proxy of the environment stands between.
_OPENER = build_opener(ProxyHandler({}))


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    """Send a request, JSON both ways. Blocking.

    Raises:
        EngineError: if it is refused or nobody answers, with the server's reason.
    """
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with _OPENER.open(request, timeout=_PATIENCE) as answer:
            text = answer.read()
    except HTTPError as error:
        raise EngineError("server", error.read().decode(errors="replace")) from error
    except (URLError, HTTPException, OSError) as error:
        raise EngineError("server", f"it does not answer: {error}") from error
    return json.loads(text) if text else None


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. `url`: its address; `process`: its number."""

    url: str
    process: int

    def usage(self) -> tuple[int, int] | None:
        """Return the memory that it holds, bytes, and its threads; None where unknown."""
        try:
            lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        except OSError:
            return None
        told = dict(line.split(":", 1) for line in lines)
        return int(told["VmRSS"].split()[0]) * 1024, int(told["Threads"])


@asynccontextmanager
async def serving(settings: Mapping[str, str]) -> AsyncGenerator[Server]:
    """Run a server on a free port of the loopback; yield it once it is ready.

    Args:
        settings: More `AVATAR_…` variables of its environment.

    Raises:
        EngineError: if it does not start; its last words are in the message.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    address = {"AVATAR_HOST": "127.0.0.1", "AVATAR_PORT": str(port)}
    command = [sys.executable, "-m", "realtime_avatar", "serve"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        # What is said to a benchmark is not to be among the owner's conversations.
        kept = {"AVATAR_DATABASE": str(Path(folder) / "conversations.db")}
        environment = {**os.environ, **kept, **settings, **address}
        start = partial(subprocess.Popen, command, env=environment, stdout=log, stderr=log)
        process = await to_thread.run_sync(start)
        try:
            await _ready(process, url, log)
            yield Server(url, process.pid)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(_end, process)


async def _ready(process: "subprocess.Popen[bytes]", url: str, log: Any) -> None:
    until = current_time() + LOADING
    while process.poll() is None and current_time() < until:
        try:
            await to_thread.run_sync(ask, f"{url}/ready")
        except EngineError:
            await sleep(0.25)
        else:
            return
    log.seek(0)
    said = log.read().decode(errors="replace").strip() or "it said nothing"
    error = EngineError("server", f"`avatar serve` did not start: {said.splitlines()[-1]}")
    error.add_note(said)
    raise error


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
