"""From a clause as it was written to what an acoustic model reads."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, pairwise
from typing import Final

from realtime_avatar.voice.clauses import Clause, Ending
from realtime_avatar.voice.normalise import readable, spoken
from realtime_avatar.voice.phonemes import PAUSES, Phonemiser, Spoken, runs

_HAN: Final = "\u2e80-\u2fff\u3005-\u3007\u3400-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"\s*(?:[{_HAN}][^\w\s“‘（《「『]*|[^\s{_HAN}]+)")
_TOKEN: Final = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+")


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is synthesised at once.

    Attributes:
        symbols: Phonemes, stresses, tones and punctuation, one character each.
        pieces: The words of the text as it was written, which join to it, each with the
            index of the symbol at which it begins to be heard, not decreasing.
        ending: What comes after it.
    """

    symbols: str
    pieces: tuple[tuple[str, int], ...]
    ending: Ending


class Reader:
    """Reads clauses of one language aloud, on paper.

    Args:
        language: Of the text as a whole: "en", "es" or "zh".
        phonemiser: Returns the phonemiser of a language.
        alphabet: The symbols that the acoustic model knows.
        longest: Most symbols that it reads at once.
    """

    def __init__(
        self,
        language: str,
        phonemiser: Callable[[str], Phonemiser],
        alphabet: Collection[str],
        longest: int,
    ) -> None:
        self._language = language
        self._phonemiser = phonemiser
        self._alphabet = alphabet
        self._longest = longest

    def read(self, clause: Clause) -> list[Utterance]:
        """Return a clause as utterances; none if there is nothing in it to be heard."""
        words = [] if clause.code else list(self._words(clause.text))
        symbols = "".join(word.symbols for word in words).rstrip()
        if all(symbol in PAUSES for symbol in symbols):
            return []
        pieces = _place(clause.text, words)
        cuts = [0, *_cuts(symbols, self._longest), len(symbols)]
        utterances: list[Utterance] = []
        for index, (start, end) in enumerate(pairwise(cuts)):
            last = index == len(cuts) - 2
            part = symbols[start:end].strip()
            if not last or clause.ending == Ending.WORD:
                part += "" if part[-1] in PAUSES else ","
            own = tuple(
                (text, min(max(at - start, 0), len(part)))
                for text, at in pieces
                if (start <= at or index == 0) and (at < end or last)
            )
            ending = clause.ending if last else Ending.WORD
            utterances.append(Utterance(part, own, ending))
        return utterances

    def _words(self, text: str) -> Iterator[Spoken]:
        """Yield the words of all runs, with the symbols that the model knows."""
        before = " "
        text = readable(text, self._language)
        if self._language == "zh":
            text = spoken(text, "zh")  # whole: the letters of "25km" and "28°C" are not English
        for language, run in runs(text, self._language):
            said = self._phonemiser(language)(spoken(run, language))
            for word in [*said, Spoken(" ", " ")]:
                symbols = ""
                for symbol in word.symbols:
                    if symbol in self._alphabet and not (symbol == before == " "):
                        symbols += symbol
                        before = symbol
                yield Spoken(word.text, symbols)


def _cuts(symbols: str, longest: int) -> Iterator[int]:
    """Yield where to cut symbols into parts of at most `longest`, best at punctuation."""
    start = 0
    while len(symbols) - start > longest:
        part = symbols[start : start + longest - 1]
        half = len(part) // 2
        ends = [match.end() for match in re.finditer(r"[;:,.!?—…]+ ?", part)]
        spaces = [match.end() for match in re.finditer(" ", part)]
        good = [end for end in ends or spaces if end > half] or [
            end for end in spaces if end > half
        ]
        start += good[-1] if good else len(part)
        yield start


def _place(text: str, words: list[Spoken]) -> list[tuple[str, int]]:
    """Return the written words, each with the index of the symbol where it begins.

    Written and spoken words are matched where they are equal; between matches ("1995" is
    said "nineteen ninety-five") places are in proportion.
    """
    said = "".join(word.text for word in words)
    chars = [0, *accumulate(len(word.text) for word in words)]
    symbols = [0, *accumulate(len(word.symbols) for word in words)]
    anchors = [(0, 0), *_anchors(text, said), (len(text), len(said))]
    written = [anchor[0] for anchor in anchors]

    def symbol_at(place: int) -> int:
        index = min(bisect_right(written, place), len(anchors) - 1)
        (text_a, said_a), (text_b, said_b) = anchors[index - 1], anchors[index]
        share = (place - text_a) / (text_b - text_a) if text_b > text_a else 0.0
        at = said_a + share * (said_b - said_a)
        word = min(max(bisect_right(chars, at) - 1, 0), len(words) - 1)
        length = chars[word + 1] - chars[word]
        inside = (at - chars[word]) / length if length else 0.0
        return int(symbols[word] + inside * (symbols[word + 1] - symbols[word]))

    pieces: list[tuple[str, int]] = []
    latest, end = 0, 0
    for match in _WORD.finditer(text):
        first = match.end() - len(match[0].lstrip())
        latest = max(latest, symbol_at(first)) if pieces else 0
        pieces.append((match[0], latest))
        end = match.end()
    if pieces:
        pieces[-1] = (pieces[-1][0] + text[end:], pieces[-1][1])
    return pieces


def _anchors(text: str, said: str) -> Iterator[tuple[int, int]]:
    """Yield places in the written and the spoken text where the same words begin."""
    left = [(match[0].casefold(), match.start()) for match in _TOKEN.finditer(text)]
    right = [(match[0].casefold(), match.start()) for match in _TOKEN.finditer(said)]
    matcher = SequenceMatcher(
        None, [token for token, _ in left], [token for token, _ in right], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            yield left[block.a + offset][1], right[block.b + offset][1]
