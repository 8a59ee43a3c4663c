"""What is llama.cpp's own."""

import http.client
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import EngineError
from realtime_avatar.models.store import ModelStore
from realtime_avatar.thinking.llama import Llama
from talking import SYSTEM, answer, asked

pytestmark = [pytest.mark.anyio, pytest.mark.weights]

TINY = {"model": "smollm2-135m", "temperature": 0, "max_tokens": 48}


def make(store: ModelStore, **options: object) -> Llama:
    return Llama(Context(store, threads=2, options={**TINY, **options}))


async def test_the_port_asks_for_a_key(
    store: ModelStore, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = make(store)
    host = str(engine._server.listening_address).removeprefix("http://")
    assert host.startswith("127.0.0.1:")
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1})
    for headers in ({}, {"Authorization": "Bearer guess"}):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("POST", "/v1/chat/completions", body, headers)
        assert connection.getresponse().status == 401
        connection.close()
    engine.close()
    engine.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(host, timeout=10).request("GET", "/health")
    with pytest.raises(EngineError, match="closed"):
        async with engine.open() as chat:
            await answer(chat, asked("Hi."))
    assert capfd.readouterr() == ("", "")


def cores_of_threads() -> set[frozenset[int]]:
    """Return the sets of cores that threads of this process may use."""
    found: set[frozenset[int]] = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    return found


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) not in (2, 3),
    reason="two threads are pinned on Linux only, and where they have most of the cores",
)
async def test_each_thread_keeps_to_a_core(store: ModelStore) -> None:
    mine = os.sched_getaffinity(0)
    engine = make(store)
    try:
        async with engine.open(system=SYSTEM):
            pinned = {frozenset((core,)) for core in sorted(mine)[-2:]}
            assert pinned <= cores_of_threads()
            assert os.sched_getaffinity(0) == mine
    finally:
        engine.close()
