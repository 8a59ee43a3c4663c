"""Makes `voice/data/matching.npz`: how speaker encoders hear points of Kokoro's style space.

    python training/voice/measure.py [WORKERS]

Two cores, which one worker keeps busy, take 0.8 s (with VNNI) to two seconds for each
measurement. Stock voices are heard twice, other points once: independent normal coordinates of
three widths, and lines through two stock voices, a third beyond their ends.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import realtime_avatar
from realtime_avatar.engines.registry import Context
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.clauses import Ending
from realtime_avatar.voice.cloning import FITTED_ON, listeners
from realtime_avatar.voice.delivery import trimmed
from realtime_avatar.voice.kokoro import Kokoro
from realtime_avatar.voice.kokoro_model import run_options
from realtime_avatar.voice.pitch import pitches
from realtime_avatar.voice.reading import Utterance
from realtime_avatar.voice.style_space import HALF, Pack, StyleSpace

OUT = Path(realtime_avatar.__file__).parent / "voice" / "data" / "matching.npz"
SOUND, MELODY = 40, 24  # axes; the rest hold 1% of the variance
LENGTHS = slice(20, 120)  # utterances of usual length, whose mean style is a voice's


FIRST = 314 - 108  # random points of the first stream, which begins with the stock voices
STREAMS, EACH = 8, 416


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        found = list(pool.map(measured, [None, *range(STREAMS)]))
    space = _space(Kokoro(Context(ModelStore(), threads=2)))[0]
    together = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    np.savez_compressed(
        OUT, names=np.array(space.names), sound=space.sound.astype(np.float32),
        melody=space.melody.astype(np.float32), **together,
    )  # fmt: skip


def measured(stream: int | None) -> dict[str, NDArray[np.floating]]:
    """Return what is heard at the points of a stream; the first one has no number."""
    store = ModelStore()
    kokoro, encoders = Kokoro(Context(store, threads=2)), listeners(store)
    space, packs, stock = _space(kokoro)
    english = kokoro._phonemiser("en")
    read = ["".join(word.symbols for word in english(text)).strip() for text in FITTED_ON]
    points, high = [], []
    heard = {name: [] for name in encoders}

    def hear(point: NDArray[np.float64], pack: Pack, sentence: int) -> None:
        said = Utterance(read[sentence % len(read)], (), Ending.SENTENCE)
        (part,) = kokoro.synthesis.parts(pack, said, run_options())
        wave = trimmed(part.wave)
        if not len(pitch := pitches(wave)):
            return
        points.append(point)
        for name, encoder in encoders.items():
            heard[name].append(encoder.embed(wave))
        high.append(np.median(np.log(pitch)))

    count = EACH
    if stream is None:
        for index, pack in enumerate(packs.values()):
            hear(stock[index], pack, index)
            hear(stock[index], pack, index + len(read) // 2)
        count = len(points) + FIRST
    random = np.random.default_rng(1 if stream is None else 1000 + stream)
    while len(points) < count:
        point = _random(random, stock)
        hear(point, space.pack(point, packs.__getitem__), len(points))
    print("stream", stream, "has", len(points), flush=True)
    return {
        "points": np.array(points, np.float16), "pitches": np.array(high, np.float32),
        **{name: np.array(vectors, np.float16) for name, vectors in heard.items()},
    }  # fmt: skip


def _space(kokoro: Kokoro) -> tuple[StyleSpace, dict[str, Pack], NDArray[np.float64]]:
    """Return the space, the stock voices' packs by name, and their points."""
    packs = {name: kokoro._pack(name) for name in sorted(kokoro.speakers)}
    styles = np.stack([pack[LENGTHS, 0].mean(axis=0) for pack in packs.values()])
    space = StyleSpace(list(packs), _axes(styles[:, :HALF], SOUND), _axes(styles[:, HALF:], MELODY))
    # A column of `_axes` has length 1 / sqrt(n - 1), so that stock voices have variance 1.
    stock = np.concatenate([space.sound, space.melody], axis=1) * (len(packs) - 1)
    return space, packs, stock


def _axes(styles: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    apart = (styles - styles.mean(axis=0)).astype(np.float64)
    return np.linalg.svd(apart, full_matrices=False)[0][:, :count] / np.sqrt(len(styles) - 1)


def _random(random: np.random.Generator, stock: NDArray[np.float64]) -> NDArray[np.float64]:
    widths = random.choice([0.6, 0.9, 1.2], size=2)
    point = random.standard_normal(SOUND + MELODY) * np.repeat(widths, (SOUND, MELODY))
    if random.random() < 0.35:
        one, other = stock[random.integers(len(stock), size=2)]
        share = random.uniform(-0.3, 1.3)
        line = share * one + (1 - share) * other
        point[:SOUND] = line[:SOUND]
        if random.random() < 0.5:
            point[SOUND:] = line[SOUND:]
    return point


if __name__ == "__main__":
    main()
