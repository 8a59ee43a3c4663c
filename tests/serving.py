"""`avatar serve` with engines that need no weights, as a process of its own."""

import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

FAKES = {
    f"AVATAR_{kind}": "fake" for kind in ("DETECTOR", "RECOGNIZER", "ENDPOINTER", "CHAT", "FACE")
} | {"AVATAR_VOICE": '{"en": "fake", "zh": "fake", "es": "fake"}'}


@asynccontextmanager
async def serving(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[tuple[Process, str]]:
    """Run a server in a folder; yield it and the address of its socket.

    Args:
        folder: Where.
        options: Of the command line.
        environment: More of it.
    """
    command = [sys.executable, "-m", "realtime_avatar", "serve", "--port", "0", *options]
    async with await anyio.open_process(
        command, cwd=folder, env={**os.environ, **FAKES, **(environment or {})}
    ) as process:
        assert process.stdout
        said = ""
        with anyio.fail_after(60):
            async for text in TextReceiveStream(process.stdout):
                said += text
                if found := re.search(r"http://localhost:(\d+)/", said):
                    break
            else:
                raise AssertionError(said)
        try:
            yield process, f"ws://127.0.0.1:{found[1]}/api/v1/socket"
        finally:
            if process.returncode is None:
                process.kill()
