"""All that the network learns from: real motion, and real motion carried to other voices."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from align import lips, spoken, transfer
from data import UNITS, Array, Clip, read, rest, split
from speech import UNHEARD

from realtime_avatar.face.visemes import ARTICULATIONS

OUTPUTS = (*UNITS, *ARTICULATIONS)
WANDERING = 0.75  # of an alignment's pace, beyond which it went astray


@dataclass(frozen=True)
class Corpus:
    """Clips whose labels are the units and then the articulations.

    Attributes:
        train, choose, test: Recordings.
        voices: Synthetic speech with the motion of the recordings in `train`.
        free: Synthetic speech of other sentences, with motion that phonemes predict.
        others: Synthetic speech with the motion of the recordings in `test`.
    """

    train: list[Clip]
    choose: list[Clip]
    test: list[Clip]
    voices: list[Clip]
    free: list[Clip]
    others: list[Clip]
    rest: Array
    prior: Array


def gather(data: Path, speech: Path, prior_of) -> Corpus:
    train, choose, test = split(read(data))
    silent, prior = rest(train), prior_of(train)
    known = {c.name: c for c in (*train, *test)}
    heldout = {c.name for c in test}
    articulated: dict[str, Array] = {}
    voices, others, free = [], [], []
    for line, pcm, phonemes in spoken(speech):
        if line["speaker"] in UNHEARD:
            continue
        clip = known.get(line["clip"])
        name = f"{line['speaker']} {line['text']}"
        if clip is None:
            if not line["clip"]:
                pcm, phonemes = _framed(pcm, phonemes)
                free.append(
                    Clip(name, pcm, lips(phonemes, len(pcm) // 640), np.zeros(0, np.float32))
                )
            continue
        carried, moved, pace = transfer(clip, pcm, phonemes, prior)
        if pace > WANDERING:
            continue
        shift = int(np.flatnonzero(carried.pcm)[0]) - phonemes[0].start // 160 * 160
        at = [replace(p, start=p.start + shift, end=p.end + shift) for p in phonemes]
        shape = lips(at, len(carried.labels))
        trust = _trust(0.5, 1.0)
        joined = np.concatenate([carried.labels, shape], 1)
        made = replace(carried, name=name, labels=joined, trust=trust, motion=clip.name)
        (others if clip.name in heldout else voices).append(made)
        if line["engine"] == "hibari":
            articulated[clip.name] = lips(moved, len(clip.labels))

    def with_lips(clips: list[Clip]) -> list[Clip]:
        return [
            replace(
                c,
                labels=np.concatenate(
                    [c.labels, articulated.get(c.name, lips([], len(c.labels)))], 1
                ),
                trust=_trust(1.0, 0.5 if c.name in articulated else 0.0),
            )
            for c in clips
        ]

    train, choose, test = with_lips(train), with_lips(choose), with_lips(test)
    free = _predicted(free, train, silent)
    return Corpus(train, choose, test, voices, free, others, silent, prior)


def _trust(units: float, articulations: float) -> Array:
    return np.array([units] * len(UNITS) + [articulations] * len(ARTICULATIONS), np.float32)


def _framed(pcm: Array, phonemes):
    """Return speech with 400 ms of silence on either side, whole frames."""
    lead = 10 * 640
    pcm = np.pad(pcm, (lead, lead + -len(pcm) % 640))
    return pcm, [replace(p, start=p.start + lead, end=p.end + lead) for p in phonemes]


def _context(shape: Array) -> Array:
    """Return what the lips are asked for from 160 ms before to 160 ms after each frame."""
    padded = np.pad(shape, ((4, 4), (0, 0)))
    return np.concatenate([padded[i : i + len(shape)] for i in range(9)], 1)


def _predicted(free: list[Clip], train: list[Clip], silent: Array) -> list[Clip]:
    """Give speech without a recording the motion that its phonemes predict.

    Ridge regression from the articulations on the aligned recordings; spread as widely
    about the silent face as the recordings are, for a regression shrinks. It has no
    constant, so where nothing is said the face is silent.
    """
    some = [c for c in train if c.trust[-1]]
    count = len(UNITS)
    x = np.concatenate([_context(c.labels[:, count:]) for c in some])
    y = np.concatenate([c.labels[:, :count] for c in some])
    fit = np.linalg.solve(x.T @ x + 20 * np.eye(x.shape[1]), x.T @ (y - silent))
    guess = x @ fit
    gain = np.clip(y.std(0) / (guess.std(0) + 1e-6), 1, 1.7)
    made = []
    for clip in free:
        labels = np.maximum(silent + gain * (_context(clip.labels) @ fit), 0)
        joined = np.concatenate([labels, clip.labels], 1).astype(np.float32)
        made.append(replace(clip, labels=joined, trust=_trust(0.4, 1.0)))
    return made
