"""What is measured of a voice while it speaks."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from realtime_avatar.bench import heard_back
from realtime_avatar.engines.ports import Transcript
from realtime_avatar.media import Audio


class Stand:
    """An engine's stand-in, and that of everything which hears it: two seconds of sound."""

    languages = ("en",)

    @asynccontextmanager
    async def open(self, **_: object) -> AsyncGenerator["Stand"]:
        yield self

    async def recognizer(self) -> "Stand":
        return self

    async def speak(self, _: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        yield Audio.silence(24_000, 24_000)
        yield Audio.silence(24_000, 24_000)


@pytest.mark.anyio
async def test_a_gap_is_how_long_a_listener_waits_within_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
):
    # Begun, first second of sound, the other, over: once half a second late, once in time.
    times = iter([0.0, 0.5, 2.0, 2.0, 10.0, 10.5, 11.5, 11.5])

    async def heard(*_: object) -> Transcript:
        return Transcript("good morning", final=True, start=0, end=0, language="en")

    monkeypatch.setattr(heard_back, "perf_counter", lambda: next(times))
    monkeypatch.setattr(heard_back, "last_word", heard)
    stand = cast("Any", Stand())
    found = await heard_back.hear_back(stand, stand, None, "en", [{"text": "Good morning."}] * 2)
    assert found.gaps == [0.5, 0]
    assert found.first == [0.5, 0.5]
    assert found.factor == pytest.approx(3.5 / 4)
    assert found.wrong == 0
