"""The measurements. Each runs in a process of its own: see `bench.worker`."""

import os
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from realtime_avatar.bench.heard_back import gold, hear_back
from realtime_avatar.bench.machine import environment_size, peak_memory, size_of
from realtime_avatar.config import Settings
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.one_shot import answer_file, bundled, enrol, hear
from realtime_avatar.engines.ports import Speaker, VoiceEngine
from realtime_avatar.hearing.score import word_errors
from realtime_avatar.media.read import read_audio

SPEECH = {
    "jfk.wav": "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country.",
    "arctic_a0007.wav": "And you always want to see it in the superlative degree.",
    "arctic_a0009.wav": "He turned sharply, and faced Gregson across the table.",
}
TEN_WORDS = {
    "en": "The little boat came home before the storm last night.",
    "es": "El pequeño barco volvió a casa antes de la tormenta.",
    "zh": "昨天晚上暴风雨来之前小船就回家了。",
}

Report = dict[str, Any]
Section = Callable[[Settings, int], Awaitable[Report]]


async def recognizer(settings: Settings, runs: int) -> Report:
    """Real recordings: real-time factor on the longest, words that are heard wrong."""
    report: Report = {"clips": {}}
    async with Ensemble(settings) as ensemble:
        errors = 0
        for name, said in SPEECH.items():
            audio = read_audio(bundled(f"speech/{name}"))
            await hear(ensemble, audio)  # loads the model, or warms the caches
            took: list[float] = []
            text = ""
            for _ in range(runs):
                start = perf_counter()
                text = (await hear(ensemble, audio)).text
                took.append(perf_counter() - start)
            wrong, words = word_errors(said, text)
            errors += wrong
            report["clips"][name] = {
                "heard": text,
                "wrong": wrong,
                "words": words,
                "seconds": audio.seconds,
                "took": median(took),
                "factor": median(took) / audio.seconds,
            }
    return report | {"wrong": errors, "factor": report["clips"]["jfk.wav"]["factor"]}


async def voices(settings: Settings, runs: int) -> Report:
    """Each language's voice on a sentence of ten words, and Kokoro in English."""
    report: Report = {}
    async with Ensemble(settings) as ensemble:
        for language, text in TEN_WORDS.items():
            engine, speaker = await ensemble.voice(language)
            name = settings.voice_for(language)[0]
            report[f"{name} {language}"] = await _speaking(engine, speaker, language, text, runs)
        both = Ensemble(settings.model_copy(update={"voice": {"en": "kokoro"}}), ensemble.store)
        async with both:
            engine, speaker = await both.voice("en")
            report["kokoro en"] = await _speaking(engine, speaker, "en", TEN_WORDS["en"], runs)
    return report


async def _speaking(
    engine: VoiceEngine, speaker: Speaker | None, language: str, text: str, runs: int
) -> Report:
    firsts: list[float] = []
    factors: list[float] = []
    seconds = 0.0
    async with engine.open(language=language, speaker=speaker) as voice:
        for _ in range(runs + 1):
            start, first, samples = perf_counter(), 0.0, 0
            async for audio in voice.speak(_once(text)):
                first = first or perf_counter() - start
                samples += audio.samples
            seconds = samples / voice.rate
            firsts.append(first)
            factors.append((perf_counter() - start) / seconds)
    # The first run warms the caches and does not count.
    return {"first_audio": median(firsts[1:]), "factor": median(factors[1:]), "seconds": seconds}


async def face(settings: Settings, runs: int) -> Report:
    """Milliseconds for each picture on one core, motion and rendering together."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    settings = settings.model_copy(update={"threads": 1})
    report: Report = {}
    speech = read_audio(bundled("speech/jfk.wav"))
    async with Ensemble(settings) as ensemble:
        engine = await ensemble.face()
        for side in (512, 1024):
            start = perf_counter()
            rig = await enrol(ensemble, (side, side))
            enrolled = perf_counter() - start
            took: list[float] = []
            async with engine.open(rig, fps=FPS) as session:
                for _ in range(runs + 1):
                    start, shots = perf_counter(), 0
                    async for _shot in session.animate(_once(speech)):
                        shots += 1
                    took.append((perf_counter() - start) / shots * 1000)
            report[str(side)] = {"ms": median(took[1:]), "enrolment": enrolled}
    return report


async def answers(settings: Settings, runs: int) -> Report:
    """The whole job on the bundled questions, engines loaded."""
    report: Report = {"films": []}
    async with Ensemble(settings) as ensemble:
        with tempfile.TemporaryDirectory() as folder:
            for run in range(runs):
                for language in settings.voice:
                    question = bundled(f"questions/{language}.flac")
                    film = await answer_file(
                        ensemble, question, Path(folder) / f"{run}.mp4", (512, 512)
                    )
                    report["films"].append(asdict(film) | {"run": run, "video": None})
    for language in settings.voice:
        films = [film for film in report["films"] if film["language"] == language]
        # Engines of a language are loaded in its first run, which therefore does not count.
        films = films[1:] or films
        report[language] = {
            "ratio": median(film["elapsed"] / film["seconds"] for film in films),
            "first_picture": median(film["first_picture"] for film in films),
            "first_token": median(film["stages"]["chat"]["first"] for film in films),
            "first_audio": median(film["stages"]["voice"]["first"] for film in films),
            "factors": {
                stage: median(film["stages"][stage]["factor"] for film in films)
                for stage in films[0]["stages"]
            },
        }
    return report | {"memory": peak_memory()}


async def heard_back(settings: Settings, runs: int) -> Report:
    """The voices' sentences, heard by the recogniser: words or characters that come out wrong."""
    report: Report = {}
    async with Ensemble(settings) as ensemble:
        for language in settings.voice:
            engine, speaker = await ensemble.voice(language)
            sentences = gold(language)
            heard = await hear_back(ensemble, engine, speaker, language, sentences)
            report[language] = {
                "sentences": len(sentences),
                "rate": heard.rate,
                "misheard": heard.misheard,
            }
    return report


async def disk(settings: Settings, runs: int) -> Report:
    """Bytes of the environment and of the model store."""
    async with Ensemble(settings) as ensemble:
        root = ensemble.store.root
        models = {path.name: size_of(path) for path in sorted(root.iterdir()) if path.is_dir()}
    return {"environment": environment_size(), "models": models}


async def _once(item: Any) -> AsyncGenerator[Any]:
    yield item


SECTIONS: dict[str, Section] = {
    "recognizer": recognizer,
    "voices": voices,
    "face": face,
    "answers": answers,
    "heard_back": heard_back,
    "disk": disk,
}
