"""A learned voice in a language of which it knows little.

A voice is found by how it sounds in English, and far from the stock voices it says other sounds
less clearly. For such a language what the stock voices of that language have in common, and English
ones have not, is added: nearer to any one of them it would be less like the person. The melody,
which tells tones apart, also comes half of the way to theirs; who speaks is mostly heard in the
sound.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from realtime_avatar.voice.style_space import HALF, Pack

_SOUND: Final = 0.4
"""How much of the accent the sound has; the melody has all of it."""
_OWN: Final = 0.5
"""How much of its own melody remains, of what sets it apart from English voices.

Of 694 Chinese characters 28 to 32 of each of three voices are misheard; 28 to 51 with 0.65 of the
accent and all of the own melody, and less like the person. Spanish is as clear without."""
_INITIALS: Final = {"zh": "z"}
_ENGLISH: Final = ("a", "b")
_UNCLEAR: Final = ("zf_xiaoni",)
"""A third of what it says is misheard; all others of its language have 3 to 6%."""


@dataclass(frozen=True, slots=True)
class Accent:
    """What a language's voices are like.

    Attributes:
        pairs: The mean of English stock voices and of the language's, women's and men's.
    """

    pairs: tuple[tuple[Pack, Pack], ...]

    def given(self, pack: Pack) -> Pack:
        """Return a learned voice with the accent."""
        english, own = min(self.pairs, key=lambda pair: float(np.square(pack - pair[0]).sum()))
        made = pack.copy()
        made[..., :HALF] += _SOUND * (own - english)[..., :HALF]
        made[..., HALF:] = (own + _OWN * (pack - english))[..., HALF:]
        return made


def accent(language: str, names: Iterable[str], stock: Callable[[str], Pack]) -> Accent | None:
    """Return what a learned voice is given in a language; None if nothing. Blocking.

    Args:
        language: That it speaks.
        names: Of the stock voices, whose two initials tell their language, and women from men.
        stock: Returns the pack of one.
    """
    initial = _INITIALS.get(language)
    if initial is None:
        return None
    known = [name for name in names if name not in _UNCLEAR]
    pairs: list[tuple[Pack, Pack]] = []
    for sex in "fm":
        english = [name for name in known if name[0] in _ENGLISH and name[1] == sex]
        own = [name for name in known if name.startswith(initial + sex)]
        if english and own:
            pairs.append((_mean(english, stock), _mean(own, stock)))
    return Accent(tuple(pairs)) if pairs else None


def _mean(names: list[str], stock: Callable[[str], Pack]) -> Pack:
    return np.asarray(np.stack([stock(name) for name in names]).mean(axis=0), np.float32)
