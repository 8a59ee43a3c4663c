"""`avatar serve` as a process of its own."""

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect

from serving import FAKES, serving

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def speaking(address: str, words: int) -> AsyncGenerator[ClientConnection]:
    """Open a session in which the avatar has begun to speak."""
    async with connect(address) as line:
        await line.send('{"video": "vp8"}')
        await line.send(json.dumps({"type": "say", "text": "so " * words}))
        with anyio.fail_after(30):
            async for frame in line:
                if isinstance(frame, str) and json.loads(frame)["type"] == "words":
                    break
        yield line


async def test_being_told_to_stop_it_finishes_the_sentence(tmp_path: Path):
    async with serving(tmp_path) as (process, address), speaking(address, 20) as line:
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(30):
            events = [json.loads(frame) async for frame in line if isinstance(frame, str)]
            assert await process.wait() == 0
        finished = next(event for event in events if event["type"] == "finished")
        assert not finished["interrupted"]
        assert finished["heard"].count("so") == 20
        assert events[-1]["type"] == "problem"
        assert events[-1]["fatal"]


async def test_being_told_twice_it_stops_at_once(tmp_path: Path):
    async with serving(tmp_path) as (process, address), speaking(address, 500):
        process.send_signal(signal.SIGINT)
        await anyio.sleep(0.5)
        assert process.returncode is None
        process.send_signal(signal.SIGINT)
        with anyio.fail_after(20):
            assert await process.wait() == 0


async def test_it_does_not_start_in_public_without_keys(tmp_path: Path):
    command = [sys.executable, "-m", "realtime_avatar", "serve", "--port", "0", "--host", "0.0.0.0"]
    keys = {"AVATAR_KEYS": str(tmp_path / "keys.json")}
    done = await anyio.run_process(
        command, cwd=tmp_path, env=os.environ | FAKES | keys, check=False
    )
    assert done.returncode == 2
    assert b"no API keys" in done.stderr
    assert len(done.stderr.decode().splitlines()) == 1
    async with serving(tmp_path, "--host", "0.0.0.0", "--open-to-anyone"):
        pass


async def test_a_taken_port_is_one_line_and_an_exit_code(tmp_path: Path):
    async with serving(tmp_path) as (_, address):
        port = address.split(":")[2].split("/")[0]
        command = [sys.executable, "-m", "realtime_avatar", "serve", "--port", port]
        done = await anyio.run_process(command, cwd=tmp_path, env=os.environ | FAKES, check=False)
        assert done.returncode == 2
        assert done.stdout == b""
        assert done.stderr.decode().startswith(f"avatar: cannot listen on 127.0.0.1:{port}: ")
        assert len(done.stderr.decode().splitlines()) == 1
