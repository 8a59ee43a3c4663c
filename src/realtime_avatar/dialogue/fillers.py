"""Sounds that are no words: they keep the floor, or only say "I am listening".

And words after which more must come.
"""

import re
from typing import Final

import numpy as np

from realtime_avatar.dialogue.bands import Bands
from realtime_avatar.media import Audio

LOUD: Final = 15  # decibels below the loudest frame, above which a frame counts
STEADY: Final = 3.5  # decibels by which the spectrum of "mm" and "uh" varies at most

_SYLLABLE: Final = r"(?:[uaeo]+h+|[ue]+h*m+|e+r+m*|h*m+h*)"  # uh, um, erm, hm
_FILLER: Final = re.compile(
    rf"{_SYLLABLE}(?:-?(?:{_SYLLABLE}|hu+h+))*|[嗯呃额啊哦唔欸诶]+", re.IGNORECASE
)
_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# Nobody ends with these, whatever the melody says.
_LINK: Final = re.compile(
    r"\b(?:an?|the|and|or|but|because|if|my|your|his|our|their|tell me|(?:like|want) to know"
    r"|el|los|las|una?|[eouy]|pero|porque|si|mi|tu|su|del?|al|con|decirme"
    r"|(?:gustaría|quiero) saber)\W*$"
    r"|(?:和|跟|或者|但是|因为|所以|如果|而且|想知道|告诉我|请问|想问)\W*$",
    re.IGNORECASE,
)
# Nor with these, unless the recogniser hears that it was a sentence.
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|am|to|of|it's|i'm|would|could|es|son|era|está|que|por|para)\s*$",
    re.IGNORECASE,
)
_OPEN: Final = (",", "，", "、", "-", "–", "—", ":", "：", ";", "；", "...", "…")


def only_fillers(text: str) -> bool:
    """Tell whether nothing is said in a text: no word, or none but "uh", "mm-hm", "嗯"."""
    return all(_FILLER.fullmatch(word) for word in _WORD.findall(text))


def trails_off(text: str) -> bool:
    """Tell whether a text cannot be all that somebody wants to say.

    It ends in a filler, in "…", in a comma or the like, or in words like "and" or "is".
    """
    words = _WORD.findall(text)
    if not words or text.rstrip().endswith(_OPEN) or _FILLER.fullmatch(words[-1]):
        return True
    return bool(_LINK.search(text) or _VERB.search(text))


def steady(sound: Audio) -> bool:
    """Tell whether a short sound is one vowel or hum: words move from sound to sound.

    Args:
        sound: 16 kHz.
    """
    energies = Bands().push(sound)
    loudness = 10 * np.log10(energies.sum(1) + 1)
    if not len(loudness):
        return True
    spectra = 10 * np.log10(energies[loudness > loudness.max() - LOUD] + 10)
    shapes = spectra - spectra.mean(1, keepdims=True)
    return bool(shapes.std(0).mean() < STEADY)
