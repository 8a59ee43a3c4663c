"""Streamed text to streamed audio: what all voices share."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from functools import partial

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio
from realtime_avatar.voice.clauses import Clause, Pace, cut
from realtime_avatar.voice.delivery import RATE, Delivery
from realtime_avatar.voice.reading import Reader, Utterance

Say = Callable[[Utterance], Awaitable[tuple[NDArray[np.float32], NDArray[np.int64]]]]
"""Synthesises: returns float32 samples at 24 kHz and the durations of the symbols in frames
of 25 ms, with the silence before and after."""


class Session:
    """A voice: speaks one text after another, and keeps nothing between them.

    Args:
        reader: Turns clauses into utterances.
        say: Turns utterances into sound.
        pace: How long clauses may be.
        level: Root mean square that the voice is expected to have.
    """

    def __init__(self, reader: Reader, say: Say, pace: Pace, level: float) -> None:
        self._reader, self._say, self._pace, self._level = reader, say, pace, level

    @property
    def rate(self) -> int:
        return RATE

    async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        """Say streamed text clause by clause; nothing is computed before it is asked for.

        Yields:
            Consecutive audio from sample 0, chunks of at most 200 ms.

        Raises:
            InputError: if the text is too long.
            EngineError: if a clause cannot be said.
        """
        delivery = Delivery(self._level)
        async with aclosing(cut(text, self._pace)) as clauses:
            async for clause in clauses:
                utterances = await self._read(clause)
                if not utterances:
                    delivery.carry(clause.text)
                for utterance in utterances:
                    wave, durations = await self._say(utterance)
                    for chunk in await step(partial(delivery.chunks, utterance, wave, durations)):
                        yield chunk
        for chunk in delivery.finish():
            yield chunk

    async def _read(self, clause: Clause) -> list[Utterance]:
        try:
            return await step(partial(self._reader.read, clause))
        except Exception as error:
            raise EngineError("voice", f"cannot read {clause.text!r}: {error}") from error
