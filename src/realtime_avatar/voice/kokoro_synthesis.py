"""An utterance of Kokoro's as sound, part by part."""

from collections.abc import AsyncGenerator, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from anyio import create_task_group, current_time, sleep_forever
from anyio.lowlevel import checkpoint
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import EngineError
from realtime_avatar.voice.clauses import Ending
from realtime_avatar.voice.delivery import FRAME, RATE
from realtime_avatar.voice.kokoro_generator import Task
from realtime_avatar.voice.kokoro_model import run_options, synthesiser
from realtime_avatar.voice.norm_statistics import KeptStatistics, Statistics
from realtime_avatar.voice.parts import REACH, cuts
from realtime_avatar.voice.phonemes import PAUSES, vocabulary
from realtime_avatar.voice.reading import Utterance
from realtime_avatar.voice.speech import Part
from realtime_avatar.voice.style_space import HALF, Pack

_MEASURED: Final = "wˌɛn ðə sˈʌn wʌz ʃˈInɪŋ, ðA θˈɔt əbˈWt ɐ bjˈuTəfəl ʤˈɜɹni, ʤˈʌst fɔɹ fˈʌn."
"""What a voice says for its statistics to be measured. With 1.3 s instead of three it sounded 2 dB
louder than with its own, with those of other voices it was another."""
_SOUND: Final = 63
"""Row of a pack whose sound all utterances have, short and long: what is normalised depends on it.
Melody stays that of the utterance's own length."""
_REMEMBERED: Final = 64
"""Voices whose statistics are in memory, 74 kB each."""
_FACTOR: Final = 0.4
"""What computing takes of the time that is heard, before it has been measured."""


class Synthesis:
    """Says utterances with any voice.

    Args:
        file: Kokoro's model.
        threads: How many one utterance may use.
        speed: 1 is a voice's own.
    """

    def __init__(self, file: Path, threads: int, speed: float) -> None:
        self._synthesiser = synthesiser(file, threads)
        self._statistics, self._kept = dict[str, Statistics](), KeptStatistics(file)
        self._vocabulary, self._speed, self._factor = vocabulary(), speed, _FACTOR

    def close(self) -> None:
        """Let go of the threads."""
        self._synthesiser.close()

    async def say(
        self,
        pack: Pack,
        lead: str,
        statistics: Statistics | None,
        utterance: Utterance,
        ahead: float = 0.0,
    ) -> AsyncGenerator[Part]:
        """Yield an utterance in worker threads; cancelled at once. See `parts`.

        Raises:
            EngineError: if it cannot be said.
        """
        run, known = run_options(), 0
        parts = self.parts(pack, utterance, run, lead=lead, statistics=statistics, ahead=ahead)
        begun = current_time()
        while part := await self._next(parts, run):
            if known or part.words is None:  # a first part of several is behind what all need
                seconds = (len(part.wave) - known) / RATE + 2 * REACH * FRAME / RATE
                self._factor += ((current_time() - begun) / seconds - self._factor) / 2
            known = len(part.wave)
            yield part
            begun = current_time()

    async def _next(self, parts: Iterator[Part], run: Any) -> Part | None:
        part, failure = None, None
        async with create_task_group() as tasks:
            tasks.start_soon(_terminate_when_cancelled, run)
            try:
                part = await step(partial(next, parts, None))
            except Exception as error:
                if run.terminate:
                    await checkpoint()  # raises the cancellation that terminated it
                failure = error
            finally:
                tasks.cancel_scope.cancel()
        if failure:
            raise EngineError("voice", f"kokoro cannot say this: {failure}") from failure
        run.terminate = False  # for the next part
        return part

    def parts(
        self,
        pack: Pack,
        utterance: Utterance,
        run: Any,
        *,
        lead: str = "",
        statistics: Statistics | None = None,
        ahead: float = 0.0,
    ) -> Iterator[Part]:
        """Yield an utterance, each time longer. Blocking.

        Args:
            pack: The voice.
            utterance: What is said.
            run: By which it is told to terminate; see `run_options`.
            lead: Symbols that are said before it; their sound counts as silence.
            statistics: The voice's. If they are unknown, they are measured, and there are no parts;
                if None, those of the utterance are taken.
            ahead: Seconds of sound that are still to be heard before it.
        """
        symbols, before = utterance.symbols, len(lead) + 1
        ids = [self._vocabulary[symbol] for symbol in lead + symbols]
        style = pack[len(ids) - 1].copy()
        style[:, :HALF] = pack[_SOUND, :, :HALF]
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([self._speed], np.float32),
        }
        heard = len(symbols.rstrip("".join(PAUSES)))
        said = range(before, before + heard) if heard else None
        words = list[int]()

        def ends(durations: NDArray[np.int64]) -> list[int]:
            bounds = np.cumsum(durations)
            starts = [int(bounds[before - 1 + at]) for _, at in utterance.pieces]
            words.extend(cuts(starts, int(bounds[-1]), self._factor, ahead * RATE / FRAME))
            return [starts[word] for word in words]

        for wave, durations in self._synthesiser.run(Task(inputs, said, statistics, ends), run):
            silence = durations[0, :before].sum(keepdims=True)
            symbols_take = np.concatenate([silence, durations[0, before:]])
            yield Part(wave, symbols_take, words.pop(0) if words else None)

    async def measured(self, pack: Pack, *, keep: bool) -> Statistics:
        """Return by what a voice is normalised.

        Args:
            pack: The voice.
            keep: Whether they may be kept on disk.
        """
        voice = await step(lambda: sha256(pack.tobytes()).hexdigest())
        if voice not in self._statistics:
            room = self._synthesiser.unknown()
            if room and not (keep and await step(partial(self._kept.restore, voice, room))):
                run = run_options()
                utterance = Utterance(_MEASURED, (), Ending.SENTENCE)
                await self._next(self.parts(pack, utterance, run, statistics=room), run)
                if keep:
                    await step(partial(self._kept.keep, voice, room))
            if len(self._statistics) >= _REMEMBERED:
                del self._statistics[next(iter(self._statistics))]
            self._statistics[voice] = room
        return self._statistics[voice]


async def _terminate_when_cancelled(run: Any) -> None:
    try:
        await sleep_forever()
    finally:
        run.terminate = True
