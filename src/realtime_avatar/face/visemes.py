"""What the lips do for a speech sound, and how neighbouring sounds share them.

Each sound asks for a few articulations, each in [0, 1] over time: lips closed (m b p),
lower lip tucked under the upper teeth (f v), lips rounded (u o w), lips pushed out
(ʃ tʃ ʒ), lips spread (i e s), jaw open. They blend by dominance functions: how much a
sound rules an articulation falls off exponentially on either side of it, steeply for
closures that must be reached, gently for vowels (Cohen and Massaro, "Modeling
coarticulation in synthetic visual speech", 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media.audio import Phoneme
from realtime_avatar.media.motion import INDEX

ARTICULATIONS: Final = ("closed", "tucked", "rounded", "pushed", "spread", "open")
"""Columns of what `articulate` returns."""

# closed tucked rounded pushed spread open: how far, and in brackets nothing to say.
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


@dataclass(frozen=True, slots=True)
class Viseme:
    """What one sound asks of the lips.

    Attributes:
        goals: Articulation to how far, in [0, 1].
    """

    goals: dict[str, float] = field(default_factory=dict[str, float])


def visemes(symbol: str) -> list[Viseme]:
    """Return what a phoneme asks for, one after another: a diphthong is two.

    Args:
        symbol: IPA, or a letter of misaki's; stress, length and tone marks are ignored, as
            is what is no sound.
    """
    spelled = "".join(_LETTERS.get(letter, letter) for letter in symbol)
    return [_viseme(letter) for letter in spelled if _is_sound(letter)]


def _is_sound(letter: str) -> bool:
    return any(letter in s for s in (_VOWELS, _ROUND, _PUSHED, _TIGHT, _SHUT, _TUCKED, _SOUNDS))


def _viseme(letter: str) -> Viseme:
    if letter in _SHUT:
        return Viseme({"closed": 1.0, "tucked": 0.0, "open": 0.0})
    if letter in _TUCKED:
        return Viseme({"closed": 0.0, "tucked": 1.0, "open": 0.1})
    goals = {"closed": 0.0, "tucked": 0.0}
    if letter in _VOWELS:
        spread, opened = _VOWELS[letter]
        return Viseme({**goals, "rounded": 0.0, "pushed": 0.0, "spread": spread, "open": opened})
    if letter in _ROUND:
        rounded, opened = _ROUND[letter]
        return Viseme({**goals, "rounded": rounded, "pushed": 0.0, "spread": 0.0, "open": opened})
    if letter in _PUSHED:
        goals |= {"pushed": _PUSHED[letter]}
    if letter in _TIGHT:
        goals |= {"spread": _TIGHT[letter]}
    return Viseme({**goals, "open": _NARROW.get(letter, 0.25)})


# Fall-off of dominance a second, and its height: closures are short and sure, rounding
# begins early, the jaw is slow.
_REACH: Final = {
    "closed": (0.022, 1.0), "tucked": (0.028, 1.0), "rounded": (0.055, 1.0),
    "pushed": (0.050, 1.0), "spread": (0.055, 1.0), "open": (0.050, 1.0),
}  # fmt: skip
_REST: Final = 0.12  # dominance of the face at rest, which wants nothing


def articulate(
    phonemes: Sequence[Phoneme], rate: int, times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the articulations at some moments.

    Args:
        phonemes: Of one stream; pauses may be among them.
        rate: Of the samples that their times count, Hz.
        times: Seconds, shape (n,).

    Returns:
        float32 in [0, 1], shape (n, 6), columns as in `ARTICULATIONS`.
    """
    wanted = np.zeros((len(times), len(ARTICULATIONS)))
    total = np.full((len(times), len(ARTICULATIONS)), _REST)
    for phoneme in phonemes:
        asked = visemes(phoneme.symbol)
        start, end = phoneme.start / rate, phoneme.end / rate
        for i, viseme in enumerate(asked):
            first = start + (end - start) * i / len(asked)
            last = start + (end - start) * (i + 1) / len(asked)
            outside = np.maximum(np.maximum(first - times, times - last), 0)
            for column, name in enumerate(ARTICULATIONS):
                if name not in viseme.goals:
                    continue
                reach, height = _REACH[name]
                rule = height * np.exp(-((outside / reach) ** 2))
                # A closure is not averaged away by the vowels around it.
                rule *= 6.0 if viseme.goals[name] == 1.0 and name in ("closed", "tucked") else 1.0
                wanted[:, column] += rule * viseme.goals[name]
                total[:, column] += rule
    return (wanted / total).astype(np.float32)


# Where the network hears an articulation it is sure of the moment but shy of the extent;
# from and to which output each is taken for nothing and for all of it.
_SHY: Final = np.array(
    [(0.3, 0.6), (0.35, 0.65), (0.1, 0.8), (0.1, 0.8), (0.1, 1.0), (0.0, 1.0)], np.float32
)


def sharpen(heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the articulations that the network heard, as decided as phonemes would be.

    Args:
        heard: float32, shape (n, 6), columns as in `ARTICULATIONS`.
    """
    low, high = _SHY.T
    return np.clip((heard - low) / (high - low), 0, 1)


_LOWER: Final = [INDEX[f"mouthLowerDown{side}"] for side in ("Left", "Right")]
_UPPER: Final = [INDEX[f"mouthUpperUp{side}"] for side in ("Left", "Right")]
_PRESS: Final = [INDEX[f"mouthPress{side}"] for side in ("Left", "Right")]
_STRETCH: Final = [INDEX[f"mouthStretch{side}"] for side in ("Left", "Right")]
_SMILE: Final = [INDEX[f"mouthSmile{side}"] for side in ("Left", "Right")]
_JAW, _CLOSE = INDEX["jawOpen"], INDEX["mouthClose"]
_PUCKER, _FUNNEL = INDEX["mouthPucker"], INDEX["mouthFunnel"]
_ROLL_LOWER, _ROLL_UPPER = INDEX["mouthRollLower"], INDEX["mouthRollUpper"]


def shape(weights: NDArray[np.float32], lips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ARKit weights with the lips brought to what the sounds ask for.

    The jaw keeps its own movement but for closures; `mouthClose` equal to `jawOpen` is lips
    that meet over an open jaw, as in ARKit.

    Args:
        weights: float32, shape (n, 52).
        lips: float32, shape (n, 6), columns as in `ARTICULATIONS`.
    """
    out = weights.copy()
    closed, tucked, rounded, pushed, spread, _ = lips.T
    shut = np.maximum(closed, tucked)
    out[:, _JAW] *= 1 - 0.55 * shut
    out[:, _CLOSE] = np.minimum(out[:, _CLOSE], out[:, _JAW])
    out[:, _CLOSE] += (out[:, _JAW] - out[:, _CLOSE]) * np.maximum(closed, 0.85 * tucked)
    for columns, keep in ((_LOWER, shut), (_UPPER, closed)):
        out[:, columns] *= (1 - keep)[:, None]
    free = 1 - closed
    out[:, _PUCKER] = np.maximum(out[:, _PUCKER], 0.6 * rounded + 0.15 * pushed)
    out[:, _FUNNEL] = np.maximum(out[:, _FUNNEL] * free, (0.25 * rounded + 0.4 * pushed) * free)
    out[:, _PRESS] = np.maximum(out[:, _PRESS], 0.22 * closed[:, None])
    out[:, _ROLL_LOWER] = np.maximum(out[:, _ROLL_LOWER], 0.12 * closed + 0.5 * tucked)
    out[:, _ROLL_UPPER] = np.maximum(out[:, _ROLL_UPPER] * (1 - tucked), 0.12 * closed)
    out[:, _UPPER] = np.maximum(out[:, _UPPER], (0.18 * tucked + 0.06 * spread * free)[:, None])
    out[:, _STRETCH] = np.maximum(out[:, _STRETCH], 0.16 * spread[:, None])
    out[:, _SMILE] = np.maximum(out[:, _SMILE], 0.08 * spread[:, None])
    return np.clip(out, 0, 1)
