"""What all that listens to a stream of audio needs."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from typing import TypeVar

from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import AvatarError, EngineError
from realtime_avatar.media.audio import Audio, join

T = TypeVar("T")


async def portions(
    audio: AsyncIterable[Audio], *, at_least: float, at_most: float
) -> AsyncGenerator[Audio]:
    """Yield the same stream in portions that are worth a step in a worker thread.

    Args:
        audio: Consecutive chunks of any length.
        at_least: Seconds; only the last portion may be shorter.
        at_most: Seconds.
    """
    held: list[Audio] = []
    async for chunk in audio:
        held.append(chunk)
        if sum(chunk.samples for chunk in held) >= at_least * chunk.rate:
            for portion in _slices(join(held), at_most):
                yield portion
            held.clear()
    if held:
        yield join(held)


async def compute(stage: str, work: Callable[[], T], *, leave: bool = False) -> T:
    """Run a step in a worker thread; whatever a library raises is an error of this stage.

    Args:
        stage: As `EngineError` calls it.
        work: What takes at most about 100 ms.
        leave: As of `step`.

    Raises:
        EngineError: for everything that is not an error of ours already.
    """
    try:
        return await step(work, leave=leave)
    except AvatarError:
        raise
    except Exception as error:
        raise EngineError(stage, str(error)) from error


def _slices(audio: Audio, seconds: float) -> Iterator[Audio]:
    length = round(seconds * audio.rate)
    for at in range(0, audio.samples, length):
        yield Audio(audio.pcm[at : at + length], audio.rate, audio.start + at)
