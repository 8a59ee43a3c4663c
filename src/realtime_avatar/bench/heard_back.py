"""A voice's sentences, heard by the recogniser."""

import tomllib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from random import Random
from time import perf_counter
from typing import Any

from realtime_avatar.dialogue.conversation import last_word
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.engines.ports import Speaker, VoiceEngine
from realtime_avatar.hearing.score import errors
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.resample import resample

Sentence = dict[str, str]
"""`text`, and `heard` where a listener would write it otherwise."""


@dataclass
class HeardBack:
    """What came of it.

    Attributes:
        wrong: Words, in Chinese characters, that were misheard.
        total: That there were.
        misheard: Each sentence that was not understood wholly.
        sounds: Of the sentences, as they were spoken.
        first: Seconds to the first sound of each.
        took: Seconds to the last.
        gaps: Longest wait in each, seconds, of who plays it from the first sound on; 0 if none.
    """

    wrong: int = 0
    total: int = 0
    misheard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sounds: list[Audio] = field(default_factory=list[Audio])
    first: list[float] = field(default_factory=list[float])
    took: list[float] = field(default_factory=list[float])
    gaps: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        return self.wrong / max(1, self.total)

    @property
    def factor(self) -> float:
        """Work for each second of sound: the real-time factor."""
        return sum(self.took) / max(1e-9, sum(sound.seconds for sound in self.sounds))


def gold(language: str) -> list[Sentence]:
    """Return the sentences that voices of a language are measured with."""
    text = (files("realtime_avatar") / "voice" / "sentences.toml").read_text("utf-8")
    return tomllib.loads(text)[language]


def chosen(language: str, count: int, seed: int) -> list[Sentence]:
    """Return so many of the `gold` sentences, in their order; the same ones for a seed."""
    sentences = gold(language)
    count = min(count, len(sentences))
    drawn = Random(seed).sample(range(len(sentences)), count)
    return [sentences[index] for index in sorted(drawn)]


async def hear_back(
    ensemble: Ensemble,
    engine: VoiceEngine,
    speaker: Speaker | None,
    language: str,
    sentences: Sequence[Sentence],
) -> HeardBack:
    """Have a voice speak, and hear what it said."""
    found = HeardBack()
    hears = (await ensemble.recognizer()).open(languages=(language,))
    async with hears as recognizer, engine.open(language=language, speaker=speaker) as voice:
        for sentence in sentences:
            start, chunks = perf_counter(), list[Audio]()
            gap = played = 0.0
            async for audio in voice.speak(_once(sentence["text"])):
                at = perf_counter() - start
                if chunks:
                    gap = max(gap, at - played)
                else:
                    found.first.append(at)
                chunks.append(audio)
                played = max(at, played) + audio.seconds
            found.took.append(perf_counter() - start)
            found.gaps.append(gap)
            said = join(chunks)
            found.sounds.append(said)
            heard = (await last_word(recognizer, resample(said, 16_000))).text
            wrong, count = errors(sentence.get("heard", sentence["text"]), heard, language)
            found.wrong, found.total = found.wrong + wrong, found.total + count
            if wrong:
                found.misheard.append({"said": sentence["text"], "heard": heard, "wrong": wrong})
    return found


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
