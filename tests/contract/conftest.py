"""Every engine, fake and real, goes through the same suite.

A third party runs it on its own engines by listing them in `engines_under_test.py`.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from anyio import to_thread

from engines_under_test import ENGINES, SERVERS, resolved
from realtime_avatar.engines.registry import Context, Kind, load
from realtime_avatar.models.store import ModelStore


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind, engines in ENGINES.items():
        if f"{kind}_engine" in metafunc.fixturenames:
            metafunc.parametrize(
                f"{kind}_engine",
                [pytest.param(engine, id=engine[0], marks=_marks(engine[0])) for engine in engines],
                indirect=True,
                scope="module",
            )


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [] if name == "fake" else [pytest.mark.weights]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def _loaded(kind: Kind, engine: tuple[str, dict[str, Any]]) -> AsyncGenerator[Any]:
    name, options = engine
    options = resolved(options)
    async with AsyncExitStack() as stack:
        if name in SERVERS:
            options = options | await stack.enter_async_context(SERVERS[name]())
        context = Context(ModelStore(), threads=2, options=options)
        made = await to_thread.run_sync(load, kind, name, context)
        yield made
        made.close()
        made.close()  # idempotent


@pytest.fixture(scope="module")
async def detector_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("detector", request.param):
        yield engine


@pytest.fixture(scope="module")
async def recognizer_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("recognizer", request.param):
        yield engine


@pytest.fixture(scope="module")
async def endpointer_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("endpointer", request.param):
        yield engine


@pytest.fixture(scope="module")
async def chat_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("chat", request.param):
        yield engine


@pytest.fixture(scope="module")
async def voice_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("voice", request.param):
        yield engine


@pytest.fixture(scope="module")
async def face_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("face", request.param):
        yield engine
