"""Streamed text to streamed audio: what all voices share."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from anyio import current_time
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio
from realtime_avatar.voice.clauses import AHEAD, Clause, Pace, cut
from realtime_avatar.voice.delivery import RATE, Delivery
from realtime_avatar.voice.reading import Reader, Utterance

_SWIFT: Final = 25
"""Letters a second at which a text must come to be begun with early. A voice says about 15, and
once it does, and a face moves, there is less of the processor for what thinks: three quarters."""

_STEADY: Final = 20
"""The same, once there is."""

_REFILL: Final = 0.4
"""Seconds of sound left when more of a clause is said, whole or not."""


class Part(NamedTuple):
    """An utterance as far as its sound is known.

    Attributes:
        wave: 24 kHz, shape (samples,).
        durations: Frames of 25 ms that each symbol takes, shape (symbols + 2,), with the silence
            before and after; of all symbols, also where the wave is shorter.
        words: That are whole in the wave and may be heard; None: all, and it will not get longer.
    """

    wave: NDArray[np.float32]
    durations: NDArray[np.int64]
    words: int | None = None


Say = Callable[[Utterance, float], AsyncGenerator[Part]]
"""Synthesises: yields an utterance, each time longer, at last as a whole.

It is told how many seconds of sound are still to be heard before it.
"""


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
        delivery, flow = Delivery(self._level), _Flow(text)
        async with aclosing(cut(flow.pieces(), self._pace)) as clauses:
            async for clause in clauses:
                if not (clause.whole or flow.wanting(midway=delivery.midway)):
                    continue
                utterances = await self._read(clause)
                if not clause.whole and len(utterances) != 1:
                    continue  # nothing is heard of it, or too much to be joined to its rest
                if not utterances:
                    delivery.carry(clause.text)
                for utterance in utterances:
                    begun = None if clause.whole else len(utterance.pieces) - AHEAD
                    async with aclosing(self._say(utterance, flow.ahead)) as parts:
                        async for part in parts:
                            until = begun if part.words is None else part.words
                            make = partial(
                                delivery.chunks, utterance, part.wave, part.durations, until=until
                            )
                            for chunk in await step(make):
                                flow.gave(chunk)
                                yield chunk
        for chunk in delivery.finish():
            yield chunk

    async def _read(self, clause: Clause) -> list[Utterance]:
        try:
            return await step(partial(self._reader.read, clause))
        except Exception as error:
            raise EngineError("voice", f"cannot read {clause.text!r}: {error}") from error


class _Flow:
    """What comes in and what goes out of a speech, in time.

    Args:
        text: As it comes in.
    """

    def __init__(self, text: AsyncIterable[str]) -> None:
        self._text = text
        self._since: float | None = None  # when the first piece came
        self._letters = 0  # since
        self._spoke: float | None = None  # when the first sound was given
        self._seconds = 0.0  # of sound, since

    @property
    def ahead(self) -> float:
        """Seconds of sound that are still to be heard, had the voice begun at once."""
        if self._spoke is None:
            return 0.0
        return max(self._seconds - (current_time() - self._spoke), 0.0)

    def wanting(self, *, midway: bool) -> bool:
        """Tell whether more should be said, though the clause is not whole.

        It should if the voice will soon have said all that it was given, had it begun at once,
        and the text comes fast enough to stay ahead of it.

        Args:
            midway: Whether it has begun with the clause.
        """
        now = current_time()
        if self.ahead > _REFILL:
            return False
        least = _SWIFT if self._spoke is None else _STEADY
        fast = self._since is not None and self._letters > least * (now - self._since)
        return midway or fast

    def gave(self, sound: Audio) -> None:
        """Take note of a sound that is given."""
        if self._spoke is None:
            self._spoke = current_time()
        self._seconds += sound.seconds

    async def pieces(self) -> AsyncGenerator[str]:
        """Yield the text."""
        async for piece in self._text:
            if self._since is None:
                self._since = current_time()
            else:
                self._letters += len(piece)
            yield piece
