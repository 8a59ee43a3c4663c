"""Every engine, fake and real, goes through the same suite.

A third party runs it on its own engines by listing them in `engines_under_test.py`.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from anyio import to_thread

from engines_under_test import ELSEWHERE, ELSEWHERE_AT_ONCE, ENGINES, SERVERS, resolved
from realtime_avatar.engines.registry import Context, Kind, load
from realtime_avatar.models.store import ModelStore
from two_nodes import TwoNodes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for kind, engines in ENGINES.items():
        if f"{kind}_engine" in metafunc.fixturenames:
            metafunc.parametrize(
                f"{kind}_engine",
                [
                    pytest.param((*engine, False), id=engine[0], marks=_marks(engine[0]))
                    for engine in engines
                ]
                + [
                    pytest.param(
                        (*engine, True),
                        id=f"{engine[0]}-on-a-cluster",
                        marks=[*_marks(engine[0]), *_marks_elsewhere(engine[0])],
                    )
                    for engine in engines
                    if engine[0] in ELSEWHERE[kind]
                ],
                indirect=True,
                scope="module",
            )


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [] if name == "fake" else [pytest.mark.weights]


def _marks_elsewhere(name: str) -> list[pytest.MarkDecorator]:
    at_once = name in ELSEWHERE_AT_ONCE
    return [pytest.mark.cluster] if at_once else [pytest.mark.cluster, pytest.mark.load]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def _loaded(kind: Kind, request: pytest.FixtureRequest) -> AsyncGenerator[Any]:
    name, options, elsewhere = request.param
    options = resolved(options)
    async with AsyncExitStack() as stack:
        if name in SERVERS:
            options = options | await stack.enter_async_context(SERVERS[name]())
        context = Context(ModelStore(), threads=2, options=options)
        if elsewhere:
            cluster: TwoNodes = request.getfixturevalue("two_nodes")
            made = await stack.enter_async_context(cluster.engine(kind, name, context))
        else:
            made = await to_thread.run_sync(load, kind, name, context)
        yield made
        made.close()
        made.close()  # idempotent


@pytest.fixture(scope="module")
async def detector_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("detector", request):
        yield engine


@pytest.fixture(scope="module")
async def recognizer_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("recognizer", request):
        yield engine


@pytest.fixture(scope="module")
async def endpointer_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("endpointer", request):
        yield engine


@pytest.fixture(scope="module")
async def chat_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("chat", request):
        yield engine


@pytest.fixture(scope="module")
async def voice_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("voice", request):
        yield engine


@pytest.fixture(scope="module")
async def face_engine(request: pytest.FixtureRequest, anyio_backend: str):
    async for engine in _loaded("face", request):
        yield engine
