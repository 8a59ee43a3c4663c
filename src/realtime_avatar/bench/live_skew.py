"""By how much the picture is late against the sound, phrase by phrase.

Sound and picture of an answer are two curves, the level and the opening between the lips.
Each is laid over the same curve of a film of the same answer, in which both are in step by
construction, and moved until they agree best: the sound is found so many milliseconds
after the film began, the lips so many. The difference is the skew. That the lips do not
follow the loudness of speech (they open before a vowel, and close in the midst of loud
nasals) is the same in the film, and cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.live_film import FPS, Film
from realtime_avatar.bench.live_recording import Recording

Floats = NDArray[np.floating]

AUDIBLE: Final = 10 ** (-45 / 20)
"""RMS level from which a sound counts as heard, of full scale."""

STEP: Final = 0.005
"""Seconds of one level."""

_PAUSE = 0.15  # seconds that part phrases
_SHORTEST, _LONGEST = 0.6, 1.6  # seconds of one; a longer one is cut
_AROUND = 0.1  # seconds of silence looked at before and after one
_FAR, _NEAR = 0.5, 0.2  # seconds that sound is looked for in, and lips around it
_SAME_SOUND, _SAME_LIPS = 0.9, 0.8  # correlations below which they are not the film's


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase as it was received.

    Attributes:
        at: When it began to be heard, seconds on the client's clock.
        skew: By how much the picture was late, seconds; negative if the sound was.
    """

    at: float
    skew: float


def skews(
    film: Film, recording: Recording, mouth: Floats, start: float, end: float
) -> tuple[list[Phrase], int]:
    """Measure every phrase of an answer.

    Args:
        film: Of the same answer.
        recording: What was received.
        mouth: Opening between the lips in each of its pictures; NaN where not known.
        start: When the answer began to be heard.
        end: When it was heard last.

    Returns:
        The phrases that could be measured, and how many were heard that could not: those
        that were stretched by a stall, or in which the lips were not seen.
    """
    found: list[Phrase] = []
    lost = 0
    parts = phrases(film.sound)
    heard = _curve(recording.sound_at, np.sqrt(recording.sound))
    known = np.isfinite(mouth)
    lips = _curve(recording.shown_at[known], mouth[known])
    offset = start - parts[0][0] if parts else 0.0
    for first, last in parts:
        if offset + last > end + _FAR:
            break
        times = np.arange(first - _AROUND, last + _AROUND, STEP)
        model = np.sqrt(np.interp(times, np.arange(len(film.sound)) * STEP, film.sound))
        sound = _align(times, model, heard, offset, _FAR)
        if sound is None or sound[1] < _SAME_SOUND:
            lost += 1
            continue
        offset = sound[0]
        frames = np.arange(max(0, int((first - _AROUND) * FPS)), int((last + _AROUND) * FPS))
        frames = frames[frames < len(film.mouth)]
        seen = _align(frames / FPS, film.mouth[frames], lips, offset, _NEAR)
        if seen is None or seen[1] < _SAME_LIPS:
            lost += 1
            continue
        found.append(Phrase(offset + first, seen[0] - offset))
    return found, lost


def phrases(sound: Floats) -> list[tuple[float, float]]:
    """Return where the phrases of a film are, seconds."""
    loud = np.flatnonzero(sound > AUDIBLE)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > _PAUSE / STEP)
    starts = [int(loud[0]), *loud[breaks + 1].tolist()]
    ends = [*loud[breaks].tolist(), int(loud[-1])]
    found: list[tuple[float, float]] = []
    for first, last in zip(starts, ends, strict=True):
        begin, end = first * STEP, (last + 1) * STEP
        count = max(1, round((end - begin) / _LONGEST))
        edges = np.linspace(begin, end, count + 1).tolist()
        found += pairwise(edges)
    return [(a, b) for a, b in found if b - a >= _SHORTEST]


def _curve(times: Floats, values: Floats) -> Callable[[Floats], Floats]:
    return lambda at: np.interp(at, times, values)


def _align(
    times: Floats, model: Floats, curve: Callable[[Floats], Floats], around: float, reach: float
) -> tuple[float, float] | None:
    """Return how much later than the model the curve is, and how well they correlate there."""
    if len(model) < 5 or np.ptp(model) < 1e-3:
        return None
    lags = around + np.arange(-reach, reach + STEP / 2, STEP)
    model = (model - model.mean()) / model.std()
    scores = np.array([_correlation(model, curve(times + lag)) for lag in lags])
    best = int(scores.argmax())
    if best in (0, len(lags) - 1):
        return None
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(lags[best] + shift * STEP), float(here)


def _correlation(model: Floats, other: Floats) -> float:
    spread = other.std()
    return float((model * (other - other.mean())).mean() / spread) if spread > 1e-6 else 0.0
