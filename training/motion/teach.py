"""Labels that another network believes, too: cross-fitted teachers.

What the landmarker measured of one face is noisy, and no sound tells all of it. Teachers
that never saw a clip say what can be known of it from its sound (Wolpert, "Stacked
generalization", 1992; Hinton, Vinyals and Dean, "Distilling the knowledge in a neural
network", 2015): a student of both learns less of the noise.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch
from corpus import Corpus
from data import UNITS, Array, Clip
from fit import correlations, fit, predict, summary

FOLDS = 4
EACH = 2  # teachers of a fold, whose mean counts
BELIEVED = 0.5  # of what is learnt comes from the teachers
EPOCHS = 48
CLOSED = 1.5  # weight of the articulation; what they say of it is not believed


def taught(corpus: Corpus, seed: int, device: str, workers: int) -> Corpus:
    """Return the corpus with labels mixed with what teachers make of clips new to them.

    Args:
        corpus: As it was gathered.
        seed: Of the first teacher; the others' follow.
        device: Where they learn.
        workers: How many teachers learn at once, which changes nothing but the time.
    """
    fold = folds(corpus)
    jobs = [(corpus, fold, i % FOLDS, seed + i, device) for i in range(EACH * FOLDS)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        answers = list(pool.map(_teacher, jobs))
    said: dict[tuple[str, int], Array] = {}
    for answer in answers:
        for name, labels in answer.items():
            said[name] = said.get(name, np.float32(0)) + labels / np.float32(EACH)
    r = correlations([said["train", i] for i in range(len(corpus.train))], corpus.train)
    print(f"all recordings, each by the teacher that did not hear it: {summary(r)}", flush=True)

    def mixed(kind: str, clips: list[Clip]) -> list[Clip]:
        return [replace(c, labels=_mixed(c.labels, said[kind, i])) for i, c in enumerate(clips)]

    return replace(
        corpus,
        train=mixed("train", corpus.train),
        voices=mixed("voices", corpus.voices),
        free=mixed("free", corpus.free),
    )


def folds(corpus: Corpus) -> dict[str, Array]:
    """Return each clip's fold: a voice's is that of the recording whose motion it has."""
    own = {c.name: i % FOLDS for i, c in enumerate(corpus.train)}
    return {
        "train": np.array([own[c.name] for c in corpus.train]),
        "voices": np.array([own[c.motion] for c in corpus.voices]),
        "free": np.arange(len(corpus.free)) % FOLDS,
    }


def _teacher(job: tuple[Corpus, dict[str, Array], int, int, str]) -> dict[tuple[str, int], Array]:
    """Return what a teacher says of each clip of its fold, by kind and place."""
    corpus, fold, mine, seed, device = job
    torch.set_num_threads(1)
    clips = {kind: getattr(corpus, kind) for kind in fold}
    known = {
        kind: [c for c, f in zip(clips[kind], fold[kind], strict=True) if f != mine]
        for kind in fold
    }
    net = fit(replace(corpus, **known), EPOCHS, seed, device, f"teacher {seed}", CLOSED)
    held = [(kind, int(i)) for kind in fold for i in np.flatnonzero(fold[kind] == mine)]
    said = predict(net, [clips[kind][i] for kind, i in held], corpus.prior)
    return dict(zip(held, said, strict=True))


def _mixed(labels: Array, said: Array) -> Array:
    """Return labels, those of the units mixed: phonemes know the articulations exactly."""
    out = labels.copy()
    units = slice(len(UNITS))
    believed = np.maximum(said[:, units], 0)
    out[:, units] += np.float32(BELIEVED) * (believed - out[:, units])
    return out
