"""`avatar eval voice`: how well the voices are understood, and how alike the learned ones are."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
from anyio import to_thread

from realtime_avatar.bench.bar import Bar
from realtime_avatar.bench.heard_back import HeardBack, Sentence, chosen, hear_back
from realtime_avatar.bench.machine import machine
from realtime_avatar.bench.sections import SPEECH, TEN_WORDS
from realtime_avatar.bench.spectrogram import spectrogram
from realtime_avatar.config import Settings
from realtime_avatar.dialogue.enrolment import Enrolment
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import bundled, hear
from realtime_avatar.engines.ports import Speaker, VoiceEngine
from realtime_avatar.errors import InputError
from realtime_avatar.hearing.score import word_errors
from realtime_avatar.identity.consent import WORDING, agree
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join
from realtime_avatar.media.credentials import now
from realtime_avatar.media.read import read_audio
from realtime_avatar.voice.cloning import listeners
from realtime_avatar.voice.pitch import pitches
from realtime_avatar.voice.speakers import (
    DVECTOR,
    Beside,
    DVector,
    Embedding,
    SpeakerEncoder,
    similarity,
)

Report = dict[str, Any]

CLOSEST: Final = 3
"""Stock voices that a learned one is compared with: the likeliest by what fits and by the judge."""


@dataclass(frozen=True, slots=True)
class Person:
    """A recording of one speaker, and what is said in it."""

    name: str
    file: Path
    text: str
    audio: Audio


def read_people(folder: Path | None) -> list[Person]:
    """Read the WAV files of a folder with their `.txt`; by default the three in the package.

    Raises:
        InputError: if there is none, or a text is missing.
    """
    if folder is None:
        return [
            Person(Path(name).stem, file, text, read_audio(file))
            for name, text in SPEECH.items()
            for file in [bundled(f"speech/{name}")]
        ]
    found: list[Person] = []
    for file in sorted(folder.glob("*.wav")):
        text = file.with_suffix(".txt")
        if not text.is_file():
            raise InputError(f"there is no {text.name} that says what is said in {file.name}")
        said = text.read_text("utf-8").strip()
        found.append(Person(file.stem, file, said, read_audio(file, max_seconds=180)))
    if not found:
        raise InputError(f"there is no WAV file in {folder}")
    return found


async def evaluate(
    settings: Settings,
    folder: Path | None,
    *,
    sentences: int,
    refine: bool,
    pictures: Path | None,
    seed: int = 0,
) -> Report:
    """Measure the voices of the settings, and one learned from each recording.

    Args:
        settings: The owner's.
        folder: Recordings; see `read_people`.
        sentences: How many of the gold set each voice speaks.
        refine: Whether learned voices are more than the first guess.
        pictures: Folder for spectrograms; none are drawn without one.
        seed: Which of the gold set, if not all.
    """
    people = await to_thread.run_sync(read_people, folder)
    report: Report = {
        "machine": machine(), "sentences": sentences, "seed": seed, "refined": refine,
        "stock": {}, "learned": {},
    }  # fmt: skip
    texts = {language: chosen(language, sentences, seed) for language in settings.voice}
    with tempfile.TemporaryDirectory() as own:
        settings = settings.model_copy(update={"people": Path(own)})
        async with Ensemble(settings) as ensemble:
            for language in settings.voice:
                engine, speaker = await ensemble.voice(language)
                name = ":".join(part for part in settings.voice_for(language) if part)
                heard = await hear_back(ensemble, engine, speaker, language, texts[language])
                about = _figures(heard) | await _first(engine, speaker, language)
                report["stock"][f"{name} {language}"] = {"language": language, **about}
            store = ensemble.store
            judges = Beside(listeners(store).values()), DVector(store.path(DVECTOR))
            stock = _Stock(judges, [sentence["text"] for sentence in texts["en"]])
            for person in people:
                report["learned"][person.name] = await _learned(
                    ensemble, person, people, judges, stock, texts, refine, pictures
                )
    report["bars"] = [asdict(bar) | {"met": bar.met} for bar in _bars(report)]
    return report


async def _learned(
    ensemble: Ensemble,
    person: Person,
    people: list[Person],
    judges: tuple[SpeakerEncoder, DVector],
    stock: "_Stock",
    texts: dict[str, list[Sentence]],
    refine: bool,
    pictures: Path | None,
) -> Report:
    data = await to_thread.run_sync(person.file.read_bytes)
    consent = agree("voice", person.name, WORDING["voice"], data, now())
    enrolment = Enrolment(ensemble, person.name, person.audio, consent)
    for stage in (enrolment.guess, *([enrolment.refine] if refine else [])):
        async with aclosing(stage()) as steps:
            async for _ in steps:
                pass
    voice = await to_thread.run_sync(ensemble.people.load, person.name)
    engine, speaker = await ensemble.voice("en", person.name)
    report: Report = {"refined": voice.refined, "languages": {}}
    english: HeardBack | None = None
    for language in ensemble.settings.voice:
        if language not in engine.languages:
            continue
        heard = await hear_back(ensemble, engine, speaker, language, texts[language])
        english = heard if language == "en" else english
        report["languages"][language] = _figures(heard) | await _first(engine, speaker, language)
    assert english is not None
    said = join(english.sounds)
    held = [sound.audio for sound in people]
    wrong, words = word_errors(person.text, (await hear(ensemble, person.audio)).text)
    report["heard_in_sample"] = {"wrong": wrong, "words": words}
    for judge, key in zip(judges, ("fitted_with", "judged_by"), strict=True):
        embedded = judge.embed(said)
        report[key] = {
            one.name: round(similarity(embedded, judge.embed(audio)), 3)
            for one, audio in zip(people, held, strict=True)
        }
    report["best_stock"] = await stock.best(engine, person)
    report["pitch"] = {"sample": _pitch(person.audio), "voice": _pitch(said)}
    if pictures is not None:
        for name, audio in (("sample", person.audio), ("voice", english.sounds[0])):
            spectrogram(audio).save(pictures / f"{person.name}-{name}.png")
    return report


class _Stock:
    """The stock voices as those that fit and the judge hear them, each sentence spoken once."""

    def __init__(self, judges: tuple[SpeakerEncoder, DVector], texts: list[str]) -> None:
        self._judges, self._texts = judges, texts
        self._short: dict[str, list[Embedding]] = {}
        self._whole: dict[str, list[Embedding]] = {}

    async def best(self, engine: VoiceEngine, person: Person) -> Report:
        """Return the stock voice that the judge finds most like a person, on the same sentences.

        All speak one sentence; the likeliest by either encoder speak all of them.
        """
        wanted = [judge.embed(person.audio) for judge in self._judges]
        for name in set(engine.speakers) - set(self._short):
            self._short[name] = await self._heard(engine, name, self._texts[:1])
        chosen: set[str] = set()
        for which in (0, 1):
            ranked = sorted(
                self._short,
                key=lambda name: similarity(self._short[name][which], wanted[which]),
                reverse=True,
            )
            chosen |= set(ranked[:CLOSEST])
        for name in chosen - set(self._whole):
            self._whole[name] = await self._heard(engine, name, self._texts)
        scores = {
            name: [similarity(*pair) for pair in zip(self._whole[name], wanted, strict=True)]
            for name in chosen
        }
        name = max(scores, key=lambda one: scores[one][1])
        fitted, judged = scores[name]
        return {"name": name, "fitted_with": round(fitted, 3), "judged_by": round(judged, 3)}

    async def _heard(self, engine: VoiceEngine, name: str, texts: list[str]) -> list[Embedding]:
        chunks: list[Audio] = []
        async with engine.open(language="en", speaker=Speaker(name)) as voice:
            for text in texts:
                chunks += [audio async for audio in voice.speak(_once(text))]
        said = join(chunks)
        return [judge.embed(said) for judge in self._judges]


async def _first(engine: VoiceEngine, speaker: Speaker | None, language: str) -> Report:
    """Return the seconds to the first sound of ten words, median of three."""
    took: list[float] = []
    async with engine.open(language=language, speaker=speaker) as voice:
        for _ in range(4):
            start = perf_counter()
            async with aclosing(voice.speak(_once(TEN_WORDS[language]))) as said:
                async for _audio in said:
                    took.append(perf_counter() - start)
                    break
    return {"first_audio": round(median(took[1:]), 3)}  # the first run warms the caches


def _figures(heard: HeardBack) -> Report:
    return {
        "error": round(heard.rate, 4),
        "factor": round(heard.factor, 3),
        "gap": round(max(heard.gaps, default=0.0), 3),
        "gaps": sum(gap > 0 for gap in heard.gaps),
        "misheard": heard.misheard,
        "pitch": _pitch(join(heard.sounds)),
    }


def _pitch(audio: Audio) -> Report:
    """Return the median of the fundamental frequency, Hz, and its span, semitones (10 to 90%)."""
    found = pitches(audio)
    if not len(found):
        return {"median": 0.0, "span": 0.0}
    low, middle, high = (float(value) for value in np.quantile(found, (0.1, 0.5, 0.9)))
    return {"median": round(middle, 1), "span": round(12 * float(np.log2(high / low)), 1)}


def _bars(report: Report) -> list[Bar]:
    stock, learned = report["stock"], report["learned"]
    bars = [
        Bar(f"error of {name}, of words or characters", voice["error"], most=0.04)
        for name, voice in stock.items()
    ]
    bars += [
        Bar(f"first sound of ten words, {name}, s", voice["first_audio"],
            most=0.06 if name.startswith("hibari") else 0.6)
        for name, voice in stock.items()
    ]  # fmt: skip
    bars += [
        Bar(f"longest gap in a sentence of {name}, s", voice["gap"], most=0)
        for name, voice in stock.items()
    ]
    gains: list[float] = []
    for name, person in learned.items():
        own = person["judged_by"][name]
        others = [value for other, value in person["judged_by"].items() if other != name]
        gains.append(own - person["best_stock"]["judged_by"])
        for language, voice in person["languages"].items():
            bars.append(Bar(f"error of {name}, {language}", voice["error"], most=0.06))
            bars.append(Bar(f"real-time factor of {name}, {language}", voice["factor"], most=0.45))
            bars.append(
                Bar(f"first sound of {name}, {language}, s", voice["first_audio"], most=0.6)
            )
            what = f"longest gap in a sentence of {name}, {language}, s"
            bars.append(Bar(what, voice["gap"], most=0))
        if others:
            what = f"{name} more alike itself than anybody else, by the judge"
            bars.append(Bar(what, own - max(others), least=0.15))
        bars.append(Bar(f"{name} more alike than the best stock voice", gains[-1], least=0.10))
    if len(gains) >= 3:
        second = sorted(gains)[-2]
        bars.append(Bar("two of them more alike than the best stock voice", second, least=0.10))
    return bars


async def _once(text: str) -> AsyncGenerator[str]:
    yield text
