"""A learned voice in a language of which it knows little.

A voice is found by how it sounds in English, and far from the stock voices it says other sounds
less clearly. What the stock voices of a language have in common, and English ones have not, is
added to it for that language: nearer to any one of them it would be less like the person.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from realtime_avatar.voice.style_space import Pack

_SHARES: Final = {"zh": 0.65}
"""How much of it. Of 431 Chinese characters 21, 23 and 18 of three voices are misheard; with 0.8 as
many (21, 22, 15), and the voice is another. Spanish is as clear without."""
_INITIALS: Final = {"zh": "z"}
_ENGLISH: Final = ("a", "b")
_UNCLEAR: Final = ("zf_xiaoni",)
"""A third of what it says is misheard; all others of its language have 3 to 6%."""


def accent(language: str, names: Iterable[str], stock: Callable[[str], Pack]) -> Pack | None:
    """Return what is to be added to a learned voice in a language; None if nothing. Blocking.

    Args:
        language: That it speaks.
        names: Of the stock voices, whose initial tells their language.
        stock: Returns the pack of one.
    """
    known = list(names)
    initial = _INITIALS.get(language, "?")
    own = [name for name in known if name.startswith(initial) and name not in _UNCLEAR]
    english = [name for name in known if name.startswith(_ENGLISH)]
    if not own or not english:
        return None
    apart = _mean(own, stock) - _mean(english, stock)
    return np.asarray(_SHARES[language] * apart, np.float32)


def _mean(names: list[str], stock: Callable[[str], Pack]) -> Pack:
    return np.asarray(np.stack([stock(name) for name in names]).mean(axis=0), np.float32)
