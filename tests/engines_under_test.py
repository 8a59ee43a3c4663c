"""Which engines the contract suite runs, with options that keep it quick."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ditto_checkpoint import SIDE, narrow_checkpoint
from llama_server import KEY, llama_server
from realtime_avatar.bench.stand_in import serve
from realtime_avatar.engines.registry import Kind
from stand_ins import speaking, standing_in

ENGINES: dict[Kind, list[tuple[str, dict[str, Any]]]] = {
    "detector": [("fake", {}), ("silero", {})],
    "recognizer": [("fake", {}), ("whisper", {})],
    "endpointer": [("fake", {}), ("smart-turn", {})],
    "chat": [
        ("fake", {}),
        ("gemini", {"api_key": "x"}),
        ("llama", {"model": "smollm2-135m"}),
        ("local", {"model": "smollm2-135m"}),
        ("openai", {"api_key": KEY, "max_tokens": 32, "first_seconds": 60}),
        ("scripted", {"replies": ["Paris is.", "That is all I know."]}),
    ],
    "voice": [
        ("fake", {}),
        ("gemini-speech", {"api_key": "x"}),
        ("hibari", {}),
        ("kokoro", {}),
        ("openai-speech", {}),
        ("pocket-tts", {}),
        ("xtts", {}),
    ],
    "face": [
        ("fake", {}),
        ("photo", {}),
        # The published weights cannot be had everywhere: a small network's, made up.
        (
            "ditto",
            {
                "checkpoint": narrow_checkpoint,
                "device": "cpu",
                "steps": 2,
                "side": SIDE,
                "batch": 1,
                "pictures": "network",
            },
        ),
    ],
}


def resolved(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with those made that are functions; skip the test where that is impossible."""
    return {key: value() if callable(value) else value for key, value in options.items()}


STOOD_IN = {"openai-speech", "pocket-tts", "xtts"}
"""Run on stand-ins (`stand_ins.py`): their weights or servers cannot be had everywhere."""

ELSEWHERE: dict[Kind, set[str]] = {
    kind: {name for name, _ in engines} - {"pocket-tts", "xtts"}
    for kind, engines in ENGINES.items()
}
"""Those that run on a cluster, too: all but those whose libraries are stand-ins in this process."""

ELSEWHERE_AT_ONCE = {"fake", "hibari", "scripted", "silero"}
"""Of them, those that every run of the tests takes; the others wait for `-m load`."""

WEIGHTLESS = {
    "fake",
    "gemini",
    "gemini-speech",
    "hibari",
    "openai",
    "scripted",
    "silero",
    *STOOD_IN,
}
"""Those that need no model of the catalogue: theirs comes with a library, or is elsewhere."""


@asynccontextmanager
async def _gemini() -> AsyncGenerator[dict[str, Any]]:
    async with serve() as server:
        yield {"base_url": server.url}


@asynccontextmanager
async def _gemini_speech() -> AsyncGenerator[dict[str, Any]]:
    async with serve() as server:
        server.usual = speaking
        yield {"base_url": server.url}


@asynccontextmanager
async def _openai() -> AsyncGenerator[dict[str, Any]]:
    with llama_server() as server:
        yield {"base_url": server.url}


@asynccontextmanager
async def _stand_in(name: str) -> AsyncGenerator[dict[str, Any]]:
    with TemporaryDirectory() as folder, standing_in(name, Path(folder)) as options:
        yield options


SERVERS: dict[str, Callable[[], AbstractAsyncContextManager[dict[str, Any]]]] = {
    "gemini": _gemini,
    "gemini-speech": _gemini_speech,
    "openai": _openai,
    **{name: partial(_stand_in, name) for name in STOOD_IN},
}
"""What an engine talks to: a context of the options that it needs for that."""
