import pytest

from realtime_avatar.bench.chat import bench_chat

pytestmark = pytest.mark.anyio


async def test_the_engine_and_its_client_are_asked_in_turn() -> None:
    report = await bench_chat(5)
    client, engine = (report["first_token_ms"][name]["p50"] for name in ("client", "engine"))
    assert min(client, engine) > 0
    (bar,) = report["bars"]
    assert bar["value"] == pytest.approx(engine - client)
