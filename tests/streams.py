"""Streams for tests, and what came out of them."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import TypeVar

from anyio.lowlevel import checkpoint

from realtime_avatar.media import Audio

T = TypeVar("T")

SpeechLike = Callable[[float, int], Audio]
"""The fixture `speech_like`: (seconds, rate) -> a buzz with the rhythm of speech."""


async def stream(items: Sequence[T]) -> AsyncGenerator[T]:
    for item in items:
        yield item


async def collect(source: AsyncIterable[T]) -> list[T]:
    return [item async for item in source]


async def settle() -> None:
    """Let the other tasks do what they can without waiting."""
    for _ in range(20):
        await checkpoint()


def in_chunks(audio: Audio, samples: int) -> list[Audio]:
    return [
        Audio(audio.pcm[at : at + samples], audio.rate, audio.start + at)
        for at in range(0, audio.samples, samples)
    ]
