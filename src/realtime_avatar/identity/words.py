"""Words as they are searched for: the same in every database and every language.

Case and accents do not count. Chinese and Japanese are written without spaces, so each of
their characters is a word, and what is searched for is a phrase of them.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import accumulate
from typing import Final

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_AROUND: Final = 60  # characters of an excerpt, on each side


def words(text: str) -> list[str]:
    """Return the words of a text, letters and digits only."""
    return _WORD.findall("".join(map(_plain, text)))


@lru_cache(4096)
def _plain(letter: str) -> str:
    parts = unicodedata.normalize("NFKD", letter)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return unicodedata.normalize("NFC", bare).casefold()


def phrases(query: str) -> list[list[str]]:
    """Return what has to occur: phrases, of which the last word may go on."""
    return [found for part in query.split() if (found := words(part))]


def excerpt(text: str, query: str) -> str:
    """Return the part of a text in which the first phrase that it holds stands."""
    letters = [_plain(letter) for letter in text]
    found = list(_WORD.finditer("".join(letters)))
    here, at = [match[0] for match in found], 0
    for phrase in phrases(query):
        place = _at(here, phrase)
        if place is not None:
            ends = accumulate(map(len, letters))
            at = next(at for at, end in enumerate(ends) if end > found[place].start())
            break
    start, end = max(0, at - _AROUND), min(len(text), at + _AROUND)
    before, after = "…" if start else "", "…" if end < len(text) else ""
    return before + text[start:end].strip() + after


def _at(here: list[str], phrase: list[str]) -> int | None:
    *whole, last = phrase
    for at in range(len(here) - len(phrase) + 1):
        if here[at : at + len(whole)] == whole and here[at + len(whole)].startswith(last):
            return at
    return None
