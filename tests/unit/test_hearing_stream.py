import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from realtime_avatar.errors import EngineError, InputError
from realtime_avatar.hearing.stream import compute, portions
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from streams import collect, stream

pytestmark = pytest.mark.anyio


@given(some.lists(some.integers(0, 300), max_size=12), some.integers(0, 5000))
async def test_portions_are_the_stream(lengths: list[int], start: int) -> None:
    pcm = np.arange(sum(lengths), dtype=np.int16)
    edges = np.cumsum([0, *lengths])
    chunks = [
        Audio(pcm[a : a + n], 1000, start + int(a))
        for a, n in zip(edges[:-1], lengths, strict=True)
    ]
    out = await collect(portions(stream(chunks), at_least=0.1, at_most=0.15))
    if not lengths:
        assert out == []
        return
    whole = join([Audio.silence(0, 1000, start), *out])
    assert np.array_equal(whole.pcm, pcm)
    position = start
    for portion in out:
        assert portion.start == position
        assert portion.samples <= 150
        position = portion.end


async def test_small_chunks_are_put_together() -> None:
    chunks = [Audio.silence(320, 16000, at) for at in range(0, 16000, 320)]
    out = await collect(portions(stream(chunks), at_least=0.1, at_most=1))
    assert [portion.samples for portion in out] == [1600] * 10


async def test_failures_at_work_name_the_stage() -> None:
    def broken() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(EngineError, match="recognizer: out of memory") as caught:
        await compute("recognizer", broken)
    assert caught.value.stage == "recognizer"


async def test_errors_of_ours_pass() -> None:
    def refused() -> None:
        raise InputError("too long")

    with pytest.raises(InputError, match="too long"):
        await compute("recognizer", refused)
