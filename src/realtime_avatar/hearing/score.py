"""How wrong a transcript is."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from num2words import num2words

DIGITS: Final = "零一二三四五六七八九"
PLACES: Final = ("", "十", "百", "千")
PERCENT: Final = {"en": " percent ", "es": " por ciento "}
KILOMETRES: Final = {"en": " kilometers ", "es": " kilómetros "}

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MILES: Final = re.compile(r"(?<=\d)(?:\.(?=\d{3}(?!\d))| mil\b)")  # Spanish: 300.000, 300 mil
_KILOMETRES: Final = re.compile(r"(?<=\d)\s?km\b")
_CENTURY: Final = re.compile(r"(?<=\bsiglo )[ivx]+\b")


def word_errors(reference: str, heard: str, language: str = "en") -> tuple[int, int]:
    """Return how many words are wrong, and how many there should be.

    Case, punctuation and hyphens do not count, "21" is "twenty-one", "km" kilometers,
    "300 mil" "300.000", and "siglo XVI" "siglo dieciséis". Accents count.

    Args:
        reference: What was said.
        heard: What was understood.
        language: ISO 639-1; numbers are written out as it reads them.

    Returns:
        Substitutions, insertions and deletions; words of the reference.
    """

    def words(text: str) -> list[str]:
        text = _THOUSANDS.sub("", _folded(text)).replace("%", PERCENT.get(language, "%"))
        if language == "es":
            text = _MILES.sub(lambda found: "" if found[0] == "." else "000", text)
        text = _KILOMETRES.sub(KILOMETRES.get(language, " km "), text)
        text = _CENTURY.sub(lambda found: str(_roman(found[0])), text)
        text = _NUMBER.sub(lambda found: f" {_in_words(found[0], language)} ", text)
        return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text)

    return _errors(reference, heard, words)


def errors(reference: str, heard: str, language: str) -> tuple[int, int]:
    """Return how many words are wrong, of Chinese characters, and how many there should be."""
    if language == "zh":
        return character_errors(reference, heard)
    return word_errors(reference, heard, language)


def character_errors(reference: str, heard: str) -> tuple[int, int]:
    """Return how many characters are wrong, and how many there should be.

    For Chinese. Punctuation, spaces and case do not count, and 21 is 二十一, a year its
    digits. Traditional and simplified characters are different ones.

    Args:
        reference: What was said.
        heard: What was understood.

    Returns:
        Substitutions, insertions and deletions; characters of the reference.
    """

    def characters(text: str) -> list[str]:
        text = _THOUSANDS.sub("", _folded(text)).replace("〇", "零")
        text = re.sub(r"(\d+(?:\.\d+)?)%", r"百分之\1", text)
        text = re.sub(r"\d{4}(?=年)", lambda found: _digit_by_digit(found[0]), text)
        text = _NUMBER.sub(lambda found: _in_chinese(found[0]), text)
        return re.findall(r"[^\W_]", text)

    return _errors(reference, heard, characters)


def _errors(reference: str, heard: str, units: Callable[[str], Sequence[str]]) -> tuple[int, int]:
    expected = units(reference)
    return distance(expected, units(heard)), len(expected)


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the least number of substitutions, insertions and deletions (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            changed = diagonal + (a != b)
            diagonal = row[j]
            row[j] = min(changed, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def _roman(letters: str) -> int:
    values = [{"i": 1, "v": 5, "x": 10}[letter] for letter in letters] + [0]
    return sum(value if value >= after else -value for value, after in pairwise(values))


def _in_words(number: str, language: str) -> str:
    try:
        return num2words(number, lang=language)
    except NotImplementedError:
        return number


def _in_chinese(number: str) -> str:
    whole, _, decimals = number.partition(".")
    if len(whole) > 8 or (whole.startswith("0") and len(whole) > 1):
        return _digit_by_digit(number)  # to be dialled, not counted with
    large, small = divmod(int(whole), 10_000)
    text = _below_10_000(large) + "万" if large else ""
    if large and 0 < small < 1000:
        text += "零"
    if small or not large:
        text += _below_10_000(small)
    if text.startswith("一十"):
        text = text.removeprefix("一")
    return f"{text}点{_digit_by_digit(decimals)}" if decimals else text


def _below_10_000(number: int) -> str:
    digits = str(number)
    text = "".join(
        DIGITS[int(digit)] + (PLACES[place] if digit != "0" else "")
        for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True)
    )
    return re.sub("零+", "零", text).rstrip("零") or "零"


def _digit_by_digit(number: str) -> str:
    return "".join(DIGITS[int(digit)] if digit.isdecimal() else "点" for digit in number)
