"""Kokoro-82M: many voices for English, Spanish and Chinese.

What an utterance is to sound like is computed as a whole, a tenth of the work, and its sound part
by part. Clauses are kept short enough that each is ready before the one before it has been heard.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.engines.ports import Refinement, Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.voice import chinese, english, spanish
from realtime_avatar.voice.accent import Accent, accent
from realtime_avatar.voice.clauses import Ending, Pace
from realtime_avatar.voice.cloning import Cloner, listeners
from realtime_avatar.voice.delivery import trimmed
from realtime_avatar.voice.kokoro_model import run_options
from realtime_avatar.voice.kokoro_synthesis import Synthesis
from realtime_avatar.voice.phonemes import Phonemiser, vocabulary
from realtime_avatar.voice.reading import Reader, Utterance
from realtime_avatar.voice.speech import Session
from realtime_avatar.voice.style_space import Pack

_MODEL: Final = "kokoro-82m"
_VOICES: Final = "kokoro-voices"
_FEWER_VOICES: Final = "kokoro-voices-ja"
_DEFAULTS: Final = {
    "en": "af_heart",
    "es": "ef_dora*0.7+af_heart*0.3",
    "zh": "zf_xiaobei*0.5+zf_xiaoyi*0.5",
}
"""Of forty sentences 2.2% of Spanish words are misheard (3.1% with equal shares), and 3.3% of
Chinese characters (zf_xiaoxiao 4.8%)."""
_LEADS: Final = {"es": ", "}
"""Said first: without a pause before it, Spanish voices slur a first consonant (Guillermo is
heard as "Quisermo"); costs two frames, and is trimmed. English and Chinese do not need it."""
_LONGEST: Final = 510 - 2
_PACK: Final = (510, 1, 256)
_LEVELS: Final = {"ef_dora": 0.076, "zf_xiaoxiao": 0.15}
"""Root mean square of voices that are far from 0.1, measured; the defaults lie near it."""
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
    """The engine. Its English is hibari's, its Chinese misaki's, its Spanish our own.

    Attributes:
        synthesis: Computes sound.
    """

    models: ClassVar[tuple[str, ...]] = (_MODEL, _VOICES)

    def __init__(self, context: Context) -> None:
        options = context.parse(KokoroOptions)
        self._store = context.store
        self._cloner: Cloner | None = None
        self._packs = find_voices(context.store)
        self._accents = dict[str, Accent | None]()
        file = context.store.path(_MODEL) / "kokoro-82m-int8.onnx"
        self.synthesis = Synthesis(file, context.threads, options.speed)
        self._loading = Lock()
        self._phonemisers: dict[str, Phonemiser] = {}
        self._phonemiser("en")
        warm = Utterance("həlˈO.", (), Ending.SENTENCE)
        for _ in self.synthesis.parts(self._pack(self.speakers[0]), warm, run_options()):
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
        statistics = await self.synthesis.measured(pack, keep=not learned)
        reader = Reader(language, phonemiser, vocabulary(), _LONGEST)
        say = partial(self.synthesis.say, pack, _LEADS.get(language, ""), statistics)
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
            async with aclosing(self.synthesis.say(pack, "", None, utterance)) as parts:
                return trimmed([part.wave async for part in parts][-1])

        async with aclosing(cloner.refine(sample, say)) as search:
            async for found in search:
                better = Speaker(speaker.name, found.pack)
                yield Refinement(found.share, better, found.similarity)

    def close(self) -> None:
        """Let go of the threads."""
        self.synthesis.close()

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
        found = self._accents[language]
        return found.given(pack) if found else pack

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
