"""What the lips do for a speech sound, and how neighbouring sounds share them.

Each sound asks for a few articulations, each in [0, 1] over time: lips closed (m b p),
lower lip tucked under the upper teeth (f v), lips rounded (u o w), lips pushed out
(ʃ tʃ ʒ), lips spread (i e s), jaw open. They blend by dominance functions: how much a
sound rules an articulation falls off exponentially on either side of it, steeply for
closures that must be reached, gently for vowels (Cohen and Massaro, "Modeling
coarticulation in synthetic visual speech", 1993).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media.audio import Phoneme
from realtime_avatar.media.motion import INDEX

ARTICULATIONS: Final = ("closed", "tucked", "rounded", "pushed", "spread", "open")
"""Columns of what `articulate` returns."""

_VOWELS: Final = {
    "a": (0.25, 0.95), "ɑ": (0.05, 1.0), "æ": (0.55, 0.9), "ɐ": (0.2, 0.8), "ʌ": (0.2, 0.7),
    "ɜ": (0.1, 0.45), "ə": (0.15, 0.4), "ɚ": (0.1, 0.4), "ɝ": (0.1, 0.45), "ɤ": (0.2, 0.4),
    "e": (0.65, 0.5), "ɛ": (0.5, 0.65), "i": (0.9, 0.22), "ɪ": (0.6, 0.35), "ɨ": (0.5, 0.3),
    "ɯ": (0.4, 0.3),
}  # fmt: skip
"""Spread and open of the vowels whose lips are not round."""

_ROUND: Final = {
    "u": (1.0, 0.2), "ʊ": (0.7, 0.3), "o": (0.9, 0.45), "ɔ": (0.7, 0.65), "ɒ": (0.5, 0.8),
    "y": (1.0, 0.2), "ø": (0.9, 0.4), "œ": (0.7, 0.5), "ɥ": (1.0, 0.15), "w": (1.0, 0.15),
}  # fmt: skip
"""Rounded and open."""

_PUSHED: Final = {"ʃ": 0.9, "ʒ": 0.9, "ɹ": 0.55, "r": 0.3, "ʂ": 0.6, "ʐ": 0.6, "ɻ": 0.5, "ɕ": 0.4}
_TIGHT: Final = {"s": 0.5, "z": 0.5, "j": 0.6, "ɕ": 0.5, "ʝ": 0.6}
_NARROW: Final = {"s": 0.08, "z": 0.08, "ʃ": 0.1, "ʒ": 0.1, "ʂ": 0.1, "ʐ": 0.1, "ɕ": 0.1, "j": 0.2}
_SHUT: Final = frozenset("mbpɓɱ")
_TUCKED: Final = frozenset("fvʋ")
_LETTERS: Final = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ",
    "ʧ": "tʃ", "ʤ": "dʒ", "ʦ": "ts", "ʣ": "dz", "ʨ": "tɕ", "ʥ": "dʑ", "ꭧ": "ʈʂ",
    "ᵊ": "ə", "ᵻ": "ɪ", "ɡ": "g", "β": "b", "ɸ": "f",
}  # fmt: skip
_SOUNDS: Final = frozenset("tdnlkgŋhxθðɾɲʎɣʈɖɳɟcqʔɦχħʁɫ")


Viseme = dict[str, float]
"""What one sound asks of the lips: which articulations, and how far, in [0, 1]."""


@lru_cache(maxsize=256)
def visemes(symbol: str) -> tuple[Viseme, ...]:
    """Return what a phoneme asks for, one after another: a diphthong is two.

    Args:
        symbol: IPA, or a letter of misaki's; stress, length and tone marks are ignored, as
            is what is no sound.
    """
    spelled = "".join(_LETTERS.get(letter, letter) for letter in symbol)
    return tuple(_viseme(letter) for letter in spelled if _is_sound(letter))


def _is_sound(letter: str) -> bool:
    return any(letter in s for s in (_VOWELS, _ROUND, _PUSHED, _TIGHT, _SHUT, _TUCKED, _SOUNDS))


def _viseme(letter: str) -> Viseme:
    if letter in _SHUT:
        return {"closed": 1.0, "tucked": 0.0, "open": 0.0}
    if letter in _TUCKED:
        return {"closed": 0.0, "tucked": 1.0, "open": 0.1}
    goals = {"closed": 0.0, "tucked": 0.0}
    if letter in _VOWELS:
        spread, opened = _VOWELS[letter]
        return {**goals, "rounded": 0.0, "pushed": 0.0, "spread": spread, "open": opened}
    if letter in _ROUND:
        rounded, opened = _ROUND[letter]
        return {**goals, "rounded": rounded, "pushed": 0.0, "spread": 0.0, "open": opened}
    if letter in _PUSHED:
        goals |= {"pushed": _PUSHED[letter]}
    if letter in _TIGHT:
        goals |= {"spread": _TIGHT[letter]}
    return {**goals, "open": _NARROW.get(letter, 0.25)}


# Columns as in `ARTICULATIONS`. Seconds in which dominance falls to 1/e: closures are
# short, rounding begins early, the jaw is slow.
_REACH: Final = np.array([0.022, 0.028, 0.055, 0.05, 0.055, 0.05])
# Dominance where something is asked for: the vowels around a closure do not average it away,
# and those around a rounded sound are rounded with it rather than it spread with them.
_SURE: Final = np.array([6.0, 6.0, 2.0, 1.5, 1.0, 1.0])
_REST: Final = 0.12  # dominance of the face at rest, which wants nothing


def articulate(
    phonemes: Sequence[Phoneme],
    rate: int,
    times: NDArray[np.float64],
    ahead: float = np.inf,
) -> NDArray[np.float32]:
    """Return the articulations at some moments.

    Args:
        phonemes: Of one stream; pauses may be among them.
        rate: Of the samples that their times count, Hz.
        times: Seconds, shape (n,).
        ahead: Phonemes that begin later than this many seconds after a moment do not
            count for it.

    Returns:
        float32 in [0, 1], shape (n, 6), columns as in `ARTICULATIONS`.
    """
    parts = [
        (phoneme.start, phoneme.start + (phoneme.end - phoneme.start) * np.array((i, i + 1)) / n, v)
        for phoneme in phonemes
        for n in [len(visemes(phoneme.symbol))]
        for i, v in enumerate(visemes(phoneme.symbol))
    ]
    if not parts:
        return np.zeros((len(times), len(ARTICULATIONS)), np.float32)
    begins = np.array([start for start, _, _ in parts]) / rate
    first, last = np.array([span for _, span, _ in parts]).T / rate
    goals = np.array([[v.get(name, np.nan) for name in ARTICULATIONS] for _, _, v in parts])
    outside = np.maximum(np.maximum(first - times[:, None], times[:, None] - last), 0)
    rule = np.exp(-((outside[:, :, None] / _REACH) ** 2)) * np.where(goals > 0, _SURE, 1)
    rule *= ~np.isnan(goals) & (begins < times[:, None] + ahead)[:, :, None]
    return ((rule * np.nan_to_num(goals)).sum(1) / (_REST + rule.sum(1))).astype(np.float32)


# Columns as in `ARTICULATIONS`: from and to where each is taken for nothing and for all of
# it. Phonemes say too early and too late that lips are closed, for lips part quickly; the
# network is sure of the moment of a closure but shy of its extent, and of rounding it tells most
# by its ARKit weights.
_TOLD: Final = np.array([(0.45, 0.83), (0.45, 0.95), (0, 1), (0, 1), (0, 1), (0, 1)], np.float32)
_HEARD: Final = np.array(
    [(0.1, 0.2), (0.45, 0.9), (0.4, 2.2), (0.1, 0.8), (0.1, 1), (0, 1)], np.float32
)


def decided(lips: NDArray[np.float32], *, told: bool) -> NDArray[np.float32]:
    """Return articulations with more of a decision in them.

    Args:
        lips: float32, shape (n, 6), columns as in `ARTICULATIONS`.
        told: Whether they come from phonemes (`articulate`) or from the network.
    """
    low, high = (_TOLD if told else _HEARD).T
    return np.clip((lips - low) / (high - low), 0, 1)


LATELY: Final = 5
"""Steps of 20 ms that `parted` looks back."""

_LESS: Final = 0.9  # of what it was: lips that part


def parted(closed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how closed lips are, as heard, ended as soon as they part.

    The network tells the moment of a closure but not how short it is; and of the two outputs
    in 40 ms, for which it has learnt one label, now one tells a weak closure, now the other.

    Args:
        closed: At 50 Hz, shape (LATELY + n,).

    Returns:
        Shape (n,).
    """
    either = np.maximum(closed[1:], closed[:-1])
    now, before = either[4:], np.maximum(either[2:-2], either[:-4])
    return np.where(now < _LESS * before, 0, now).astype(np.float32)


_LOWER: Final = [INDEX[f"mouthLowerDown{side}"] for side in ("Left", "Right")]
_UPPER: Final = [INDEX[f"mouthUpperUp{side}"] for side in ("Left", "Right")]
_PRESS: Final = [INDEX[f"mouthPress{side}"] for side in ("Left", "Right")]
_STRETCH: Final = [INDEX[f"mouthStretch{side}"] for side in ("Left", "Right")]
_SMILE: Final = [INDEX[f"mouthSmile{side}"] for side in ("Left", "Right")]
_JAW, _CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]
_LEAST: Final = 0.12  # of a jaw that is asked to be open, however little is heard of it
_PUCKER, _FUNNEL = INDEX["mouthPucker"], INDEX["mouthFunnel"]
_ROLL_LOWER, _ROLL_UPPER = INDEX["mouthRollLower"], INDEX["mouthRollUpper"]


def shape(weights: NDArray[np.float32], lips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ARKit weights with the lips brought to what the sounds ask for.

    The jaw keeps its own movement but for vowels, closures and small holes; `mouthClose` equal to
    `jawOpen` is lips that meet over an open jaw, as in ARKit.

    Args:
        weights: float32, shape (n, 52).
        lips: float32, shape (n, 6), columns as in `ARTICULATIONS`.
    """
    out = weights.copy()
    closed, tucked, rounded, pushed, spread, opened = lips.T
    shut = np.maximum(closed, tucked)
    small = np.clip(1.3 * rounded - opened, 0, 1)  # u and w leave a small hole, o does not
    out[:, _JAW] = np.maximum(out[:, _JAW], _LEAST * opened)
    out[:, _JAW] *= (1 - 0.4 * shut) * (1 - 0.35 * small)
    out[:, _CLOSE] = np.minimum(out[:, _CLOSE], out[:, _JAW] * (1 - 0.5 * small))
    out[:, _CLOSE] += (out[:, _JAW] - out[:, _CLOSE]) * np.maximum(closed, 0.85 * tucked)
    for columns, keep in ((_LOWER, np.maximum(shut, 0.6 * small)), (_UPPER, closed)):
        out[:, columns] *= (1 - keep)[:, None]
    for columns in (_STRETCH, _SMILE):
        out[:, columns] *= (1 - rounded)[:, None]
    free = 1 - closed
    out[:, _PUCKER] = np.maximum(out[:, _PUCKER], 0.85 * rounded + 0.15 * pushed)
    out[:, _FUNNEL] = np.maximum(out[:, _FUNNEL] * free, (0.15 * rounded + 0.4 * pushed) * free)
    out[:, _PRESS] = np.maximum(out[:, _PRESS], 0.22 * closed[:, None])
    out[:, _ROLL_LOWER] = np.maximum(out[:, _ROLL_LOWER], 0.12 * closed + 0.5 * tucked)
    out[:, _ROLL_UPPER] = np.maximum(out[:, _ROLL_UPPER] * (1 - tucked), 0.12 * closed)
    out[:, _UPPER] = np.maximum(out[:, _UPPER], (0.18 * tucked + 0.06 * spread * free)[:, None])
    out[:, _STRETCH] = np.maximum(out[:, _STRETCH], 0.16 * spread[:, None])
    out[:, _SMILE] = np.maximum(out[:, _SMILE], 0.08 * spread[:, None])
    return np.clip(out, 0, 1)
