"""Synthetic speech with known phoneme times, of many voices, kept in a folder.

For each clip of the recordings whose name spells its words (GRID), hibari says the same
words, and for some of them one of Kokoro's voices too, so that real motion can be
carried over; then `sentences.toml`, and words drawn at random, for every sound beside
every other. Voices of Kokoro's that nothing is trained on say `sentences.toml`, to measure
with.
"""

import gzip
import json
import random
import re
import tomllib
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import anyio
import numpy as np
import soundfile

from realtime_avatar.engines.ports import Speaker
from realtime_avatar.engines.registry import Context, load
from realtime_avatar.face.spectrum import RATE
from realtime_avatar.media.audio import join
from realtime_avatar.media.resample import resample
from realtime_avatar.models.store import ModelStore

WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"},
    {
        "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six",
        "7": "seven", "8": "eight", "9": "nine", "z": "zero",
    },
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)  # fmt: skip
ALSO = 200  # clips whose words one of Kokoro's voices says, too
ENGLISH = [
    "af_heart", "af_bella", "am_adam", "am_michael",
    "bf_emma", "bm_george", "am_fenrir", "af_nicole",
]  # fmt: skip
SPANISH = ["ef_dora", "em_alex", "em_santa"]
CHINESE = ["zf_xiaoxiao", "zm_yunxi", "zf_xiaobei", "zm_yunjian"]
UNHEARD = (*ENGLISH, *SPANISH, *CHINESE)  # of these voices nothing is learnt
# Any of Kokoro's voices speaks any of its languages, with an accent.
VOICES = [
    "am_puck", "af_nova", "bm_daniel", "bf_isabella", "am_onyx", "af_sky", "zm_yunyang",
    "zf_xiaoyi", "am_liam", "jf_alpha", "bm_lewis", "if_sara", "am_echo", "bf_lily",
    "pm_alex", "hm_omega",
]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What is said. `clip`: the recording that has the same words, or nothing."""

    engine: str
    speaker: str
    language: str
    text: str
    clip: str = ""


def grid_text(name: str) -> str:
    """Return the words of a GRID clip, or nothing if the name is not one."""
    if not re.fullmatch("[blps][bgrw][abiw][a-z][1-9z][anps]", name):
        return ""
    return " ".join(words[letter] for words, letter in zip(WORDS, name, strict=True))


def salad(count: int) -> list[str]:
    """Return meaningless sentences of eight words of hibari's lexicon, always the same."""
    packed = files("hibari").joinpath("assets/lexicon_us_gold.json.gz").read_bytes()
    words = [w for w in json.loads(gzip.decompress(packed)) if re.fullmatch("[a-z]{3,8}", w)]
    draw = random.Random(0)
    return [" ".join(draw.sample(words, 8)).capitalize() + "." for _ in range(count)]


def lines(names: list[str]) -> list[Line]:
    sentences = tomllib.loads((Path(__file__).parent / "sentences.toml").read_text("utf-8"))
    wanted = [Line("hibari", "heart", "en", text) for text in sentences["en"]]
    wanted += [Line("hibari", "heart", "en", grid_text(n) + ".", n) for n in names if grid_text(n)]
    wanted += [Line("hibari", "heart", "en", text) for text in salad(200)]
    for language, speakers in (("en", ENGLISH), ("es", SPANISH), ("zh", CHINESE)):
        wanted += [
            Line("kokoro", speakers[i % len(speakers)], language, text)
            for i, text in enumerate(sentences[language][:24])
        ]
    free = [("en", text) for text in sentences["en"]]
    free += [(language, text) for language in ("es", "zh") for text in sentences["train"][language]]
    for i, (language, text) in enumerate(free):
        wanted.append(Line("kokoro", VOICES[i % len(VOICES)], language, text))
    for i, name in enumerate([n for n in names[::3] if grid_text(n)][:ALSO]):
        text = grid_text(name) + "."
        wanted.append(Line("kokoro", VOICES[i % len(VOICES)], "en", text, name))
    return wanted


async def speak(wanted: list[Line], folder: Path) -> None:
    """Say what is not yet in the folder, one FLAC file of 16 kHz and one JSON each."""
    store = ModelStore()
    engines = {}
    for i, line in enumerate(wanted):
        path = folder / f"{i:05d}.json"
        if path.exists():
            continue
        if line.engine not in engines:
            engines[line.engine] = load("voice", line.engine, Context(store, threads=1))
        engine = engines[line.engine]
        speaker = None if line.engine == "hibari" else Speaker(line.speaker)
        async with engine.open(language=line.language, speaker=speaker) as voice:
            chunks = [chunk async for chunk in voice.speak(_once(line.text))]
        audio = resample(join(chunks), RATE)
        soundfile.write(path.with_suffix(".flac"), audio.pcm, RATE)
        phonemes = [[p.symbol, p.start, p.end] for p in audio.phonemes]
        path.write_text(json.dumps({**asdict(line), "phonemes": phonemes}), "utf-8")


async def _once(text: str) -> AsyncGenerator[str]:
    yield text


def make(data: Path, folder: Path) -> None:
    """Say everything that goes with these recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [str(n) for n in np.load(data / "blendshapes.npz")["names"]]
    anyio.run(speak, lines(names), folder)
