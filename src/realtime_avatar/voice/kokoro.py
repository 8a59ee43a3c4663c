"""Kokoro-82M: many voices for English, Spanish and Chinese.

What an utterance is to sound like is computed as a whole, a tenth of the work, and its sound part
by part. Clauses are kept short enough that each is ready before the one before it has been heard.
"""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from anyio import create_task_group, current_time, sleep_forever
from anyio.lowlevel import checkpoint
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.engines.ports import Refinement, Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError, EngineError, ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.voice import chinese, english, spanish
from realtime_avatar.voice.accent import accent
from realtime_avatar.voice.clauses import Ending, Pace
from realtime_avatar.voice.cloning import Cloner, listeners
from realtime_avatar.voice.delivery import FRAME, RATE, trimmed
from realtime_avatar.voice.kokoro_model import run_options, synthesiser
from realtime_avatar.voice.norm_statistics import KeptStatistics, Statistics
from realtime_avatar.voice.parts import REACH, cuts
from realtime_avatar.voice.phonemes import PAUSES, Phonemiser, vocabulary
from realtime_avatar.voice.reading import Reader, Utterance
from realtime_avatar.voice.speech import Part, Session
from realtime_avatar.voice.style_space import HALF, Pack

_MODEL: Final = "kokoro-82m"
_VOICES: Final = "kokoro-voices"
_FEWER_VOICES: Final = "kokoro-voices-ja"
_DEFAULTS: Final = {"en": "af_heart", "es": "ef_dora*0.7+af_heart*0.3", "zh": "zf_xiaoxiao"}
_LEADS: Final = {"es": ", "}
"""Said first: without a pause before it, Spanish voices slur a first consonant (Guillermo is
heard as "Quisermo"); costs two frames, and is trimmed. English and Chinese do not need it."""
_LONGEST: Final = 510 - 2
_PACK: Final = (510, 1, 256)
_LEVELS: Final = {"ef_dora": 0.076, "zf_xiaoxiao": 0.15}
"""Root mean square of the default voices, measured; others lie between 0.08 and 0.17."""
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
_PACE: Final = Pace(first=15, hurry=48, later=60, longest=240)
_PACES: Final = {
    "zh": replace(_PACE, subject=12, hurry=27, later=30, growth=3, word_ends=chinese.word_ends)
}
"""Chinese says more with a character than others with three letters, and more slowly."""


class KokoroOptions(BaseModel):
    """Settings of the engine. `speed`: 1 is the voice's own, 2 twice as fast."""

    model_config = ConfigDict(extra="forbid")

    speed: float = Field(default=1.0, ge=0.5, le=2.0)


class Kokoro:
    """The engine. Its English is hibari's, its Chinese misaki's, its Spanish our own."""

    models: ClassVar[tuple[str, ...]] = (_MODEL, _VOICES)

    def __init__(self, context: Context) -> None:
        self._options = context.parse(KokoroOptions)
        self._store = context.store
        self._cloner: Cloner | None = None
        self._packs = find_voices(context.store)
        self._accents = dict[str, Pack | None]()
        file = context.store.path(_MODEL) / "kokoro-82m-int8.onnx"
        self._synthesiser = synthesiser(file, context.threads)
        self._statistics, self._kept = dict[bytes, Statistics](), KeptStatistics(file)
        self._factor = _FACTOR
        self._vocabulary = vocabulary()
        self._loading = Lock()
        self._phonemisers: dict[str, Phonemiser] = {}
        self._phonemiser("en")
        warm = Utterance("həlˈO.", (), Ending.SENTENCE)
        for _ in self.parts(self._pack(self.speakers[0]), warm, run_options()):
            pass

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(_DEFAULTS)

    @property
    def speakers(self) -> tuple[str, ...]:
        first = _DEFAULTS["en"]
        return tuple(sorted(self._packs, key=lambda name: (name != first, name)))

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator[Voice]:
        if language not in _DEFAULTS:
            known = ", ".join(_DEFAULTS)
            raise ConfigError(f"kokoro speaks {known}, not {language!r}")
        name = speaker.name if speaker else _DEFAULTS[language]
        british = False  # a learned voice that is called Bob need not be
        if speaker and speaker.data is not None:
            pack = await step(partial(self._accented, _checked(speaker), language))
        else:
            pack = await step(partial(self._mixed, self._parts(name, asked=speaker is not None)))
            british = name.startswith("b")
        await step(partial(self._phonemiser, language))

        def phonemiser(wanted: str) -> Phonemiser:
            return self._phonemiser("en-gb" if wanted == "en" and british else wanted)

        learned = speaker is not None and speaker.data is not None
        statistics = await self._measured(pack, keep=not learned)
        reader = Reader(language, phonemiser, self._vocabulary, _LONGEST)
        say = partial(self._say, pack, _LEADS.get(language, ""), statistics)
        yield Session(reader, say, _PACES.get(language, _PACE), _LEVELS.get(name, 0.1))

    async def enrol(self, sample: Audio) -> Speaker:
        """Return the voice of its own that should be most like a sample, unheard: see `refine`.

        Raises:
            ModelMissing: if the speaker encoder or the stock voices are not here.
        """
        cloner = await step(self._find_cloner)
        return Speaker("enrolled", await step(partial(cloner.guess, sample)))

    async def refine(self, sample: Audio, speaker: Speaker) -> AsyncGenerator[Refinement]:
        """Listen to sixteen candidates, in two minutes; yield the best so far."""
        cloner = await step(self._find_cloner)
        english = await step(partial(self._phonemiser, "en"))

        async def say(pack: Pack, text: str) -> Audio:
            symbols = "".join(word.symbols for word in english(text)).strip()
            utterance = Utterance(symbols, (), Ending.SENTENCE)
            async with aclosing(self._say(pack, "", None, utterance)) as parts:
                return trimmed([part.wave async for part in parts][-1])

        async with aclosing(cloner.refine(sample, say)) as search:
            async for found in search:
                better = Speaker(speaker.name, found.pack)
                yield Refinement(found.share, better, found.similarity)

    def close(self) -> None:
        """Let go of the threads."""
        self._synthesiser.close()

    async def _say(
        self,
        pack: Pack,
        lead: str,
        statistics: Statistics | None,
        utterance: Utterance,
        ahead: float = 0.0,
    ) -> AsyncGenerator[Part]:
        """Synthesise in worker threads; cancelled at once."""
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
            "speed": np.array([self._options.speed], np.float32),
        }
        heard = len(symbols.rstrip("".join(PAUSES)))
        said = range(before, before + heard) if heard else None
        words = list[int]()

        def ends(durations: NDArray[np.int64]) -> list[int]:
            bounds = np.cumsum(durations)
            starts = [int(bounds[before - 1 + at]) for _, at in utterance.pieces]
            words.extend(cuts(starts, int(bounds[-1]), self._factor, ahead * RATE / FRAME))
            return [starts[word] for word in words]

        for wave, durations in self._synthesiser.run(inputs, run, said, statistics, ends):
            silence = durations[0, :before].sum(keepdims=True)
            symbols_take = np.concatenate([silence, durations[0, before:]])
            yield Part(wave, symbols_take, words.pop(0) if words else None)

    async def _measured(self, pack: Pack, *, keep: bool) -> Statistics:
        """Return by what a voice is normalised.

        Args:
            pack: The voice.
            keep: Whether they may be kept on disk.
        """
        voice = sha256(pack.tobytes()).digest()
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

    def _find_cloner(self) -> Cloner:
        with self._loading:
            if self._cloner is None:
                self._store.path(_VOICES)  # a voice is made from all of them
                self._cloner = Cloner(self._pack, listeners(self._store))
            return self._cloner

    def _parts(self, name: str, *, asked: bool) -> list[tuple[str, float]]:
        """Return the stock voices of a name; the first of all where a default is not here.

        Raises:
            ConfigError: if one that was asked for is not known.
        """
        parts = blend(name)
        if not asked and not all(part in self._packs for part, _ in parts):
            return [(self.speakers[0], 1.0)]
        for part, _ in parts:
            if part not in self._packs:
                known = ", ".join(self.speakers)
                raise ConfigError(f"kokoro has no speaker {part!r}; it has: {known}")
        return parts

    def _accented(self, pack: Pack, language: str) -> Pack:
        """Return a learned voice as it speaks a language."""
        if language not in self._accents:
            self._accents[language] = accent(language, self.speakers, self._pack)
        added = self._accents[language]
        return pack if added is None else pack + added

    def _mixed(self, parts: list[tuple[str, float]]) -> Pack:
        whole = sum(share for _, share in parts)
        pack = sum(share / whole * self._pack(part) for part, share in parts)
        return np.asarray(pack, np.float32)

    def _pack(self, name: str) -> Pack:
        pack = self._packs[name]
        if isinstance(pack, Path):
            pack = np.fromfile(pack, np.float32).reshape(_PACK)
        return pack

    def _phonemiser(self, language: str) -> Phonemiser:
        with self._loading:
            if language not in self._phonemisers:
                self._phonemisers[language] = self._load(language)
            return self._phonemisers[language]

    def _load(self, language: str) -> Phonemiser:
        match language:
            case "zh":
                return chinese.phonemiser()
            case "es":
                return spanish.phonemiser(self._phonemisers["en"])
            case _:
                return english.phonemiser(british=language == "en-gb")


async def _terminate_when_cancelled(run: Any) -> None:
    try:
        await sleep_forever()
    finally:
        run.terminate = True


def _checked(speaker: Speaker) -> Pack:
    pack: Any = speaker.data
    if not isinstance(pack, np.ndarray) or pack.shape != _PACK:
        raise ConfigError(f"the voice {speaker.name!r} was not made for kokoro")
    return pack.astype(np.float32)


class Shelf(Protocol):
    """The part of the model store that voices are found by."""

    def has(self, model: str) -> bool: ...

    def path(self, model: str) -> Path: ...


def blend(name: str) -> list[tuple[str, float]]:
    """Return the speakers of a blend, "ef_dora*0.7+af_heart*0.3", and their shares.

    Raises:
        ConfigError: if a share is no positive number.
    """
    parts: list[tuple[str, float]] = []
    for part in name.split("+"):
        speaker, _, share = part.partition("*")
        try:
            weight = float(share or 1)
        except ValueError:
            weight = 0.0
        if not 0 < weight < inf:
            raise ConfigError(f"the share of a voice is a positive number, not {share!r}")
        parts.append((speaker, weight))
    return parts


def find_voices(store: Shelf) -> dict[str, Path | Pack]:
    """Return for each voice its file, or its pack itself.

    Raises:
        ModelMissing: if there are no voices at all.
    """
    if store.has(_VOICES):
        folder = store.path(_VOICES)
        return {file.stem: file for file in sorted(folder.glob("*.bin"))}
    if not store.has(_FEWER_VOICES):
        raise ModelMissing(
            f"the model {_VOICES!r} is not here; fetch it: avatar models pull {_VOICES}"
        )
    logging.getLogger(__name__).warning(
        "the voices of %s are not here, and those of %s speak with a Japanese accent; "
        "fetch the others: avatar models pull %s",
        _VOICES,
        _FEWER_VOICES,
        _VOICES,
    )
    with np.load(store.path(_FEWER_VOICES) / "voices_ja.npz") as voices:
        return {name: voices[name].astype(np.float32).reshape(_PACK) for name in voices.files}
