"""Which engines the contract suite runs, with options that keep it quick."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from llama_server import KEY, llama_server
from realtime_avatar.bench.stand_in import serve
from realtime_avatar.engines.registry import Kind

ENGINES: dict[Kind, list[tuple[str, dict[str, Any]]]] = {
    "detector": [("fake", {}), ("silero", {})],
    "recognizer": [("fake", {}), ("whisper", {})],
    "endpointer": [("fake", {}), ("smart-turn", {})],
    "chat": [
        ("fake", {}),
        ("gemini", {"api_key": "x"}),
        ("llama", {"model": "smollm2-135m"}),
        ("openai", {"api_key": KEY, "max_tokens": 32, "first_seconds": 60}),
        ("scripted", {"replies": ["Paris is.", "That is all I know."]}),
    ],
    "voice": [("fake", {}), ("hibari", {}), ("kokoro", {})],
    "face": [("fake", {}), ("photo", {})],
}

WEIGHTLESS = {"fake", "gemini", "hibari", "openai", "scripted", "silero"}
"""Those that need no model of the catalogue: theirs comes with a library, or is elsewhere."""


@asynccontextmanager
async def _gemini() -> AsyncGenerator[dict[str, Any]]:
    async with serve() as server:
        yield {"base_url": server.url}


@asynccontextmanager
async def _openai() -> AsyncGenerator[dict[str, Any]]:
    with llama_server() as server:
        yield {"base_url": server.url}


SERVERS: dict[str, Callable[[], AbstractAsyncContextManager[dict[str, Any]]]] = {
    "gemini": _gemini,
    "openai": _openai,
}
"""What an engine talks to: a context of the options that it needs for that."""
