"""What the acoustic models read: phonemes, and the text that they come from."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, cast

from realtime_avatar.media.language import guess_language


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, or what stands between words, and how it is said.

    Attributes:
        text: As it is spoken: digits and signs are words.
        symbols: Its phonemes in misaki's alphabet, one character each, a space after the
            last word of a group; empty if it is silent.
    """

    text: str
    symbols: str


Phonemiser = Callable[[str], list[Spoken]]
"""Turns text without digits, of one language, into words with phonemes."""

IPA: Final = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "T": "ɾ",
    "ʣ": "dz",
    "ʤ": "dʒ",
    "ʥ": "dʑ",
    "ʦ": "ts",
    "ʧ": "tʃ",
    "ʨ": "tɕ",
    "ꭧ": "ʈʂ",
    "ᵊ": "ə",
    "ᵻ": "ɪ",
}
"""misaki's single letters for two sounds, as IPA."""

STRESSES: Final = "ˈˌ"
"""Stand before what they mark."""

MARKS: Final = "ːʰʲ̃→↗↘↓"
"""Stand behind what they mark: length, aspiration, tones."""

PAUSES: Final = ';:,.!?—…"()“” '
"""Have a duration, but are no sound."""


def vocabulary() -> dict[str, int]:
    """Return the ids of misaki's symbols, which Kokoro and hibari share; 0 is silence."""
    text = files("hibari").joinpath("assets/vocab.json").read_text("utf-8")
    return cast("dict[str, int]", json.loads(text))


_HAN: Final = r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_LATIN: Final = r"[A-Za-z\u00c0-\u024f]"
_HAN_RUN: Final = re.compile(
    rf"[\d.,]*{_HAN}(?:[^A-Za-z\u00c0-\u024f]*{_HAN})*[，。！？；：、”》）]*"
)
_LATIN_RUN: Final = re.compile(rf"{_LATIN}+(?:[ '’.-]+{_LATIN}+)*(?:-(?=\d))?")
_ASKED: Final = r"[¿¡][^¿¡?!\n\u2e80-\u9fff]*[?!]+"
_QUOTED: Final = r"(?<=[“\"«])[^“”\"«»\n\u2e80-\u9fff]{2,120}(?=[”\"»])"
_HAN_OR_SPANISH: Final = re.compile(f"{_HAN_RUN.pattern}|{_ASKED}|{_QUOTED}")
_OTHER_LATIN: Final = re.compile("[àèìòùâêîôûäëïöçœß]", re.IGNORECASE)


def runs(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Split mixed text into runs of one language by script.

    Latin words in Chinese text are English or Spanish, Han characters in other text are Chinese.
    In English text a question or exclamation that is opened by a sign, and a quotation whose
    words say so, are Spanish. What has no script (digits, signs, spaces) belongs to the language
    of the text, but digits that touch a Han character to the Chinese.

    Args:
        text: Any text.
        language: Of the text as a whole: "en", "es" or "zh".

    Yields:
        A language and its run; the runs join to the text.
    """
    pattern = {"zh": _LATIN_RUN, "en": _HAN_OR_SPANISH}.get(language, _HAN_RUN)
    at = 0
    for match in pattern.finditer(text):
        other = _language_of(match[0])
        if other == language:  # a quotation, a proper name with an accent
            continue
        if match.start() > at:
            yield language, text[at : match.start()]
        yield other, match[0]
        at = match.end()
    if at < len(text):
        yield language, text[at:]


def _language_of(run: str) -> str:
    """Return the language of a run that is not, by its script, of the text around it."""
    if re.search(_HAN, run):
        return "zh"
    known = ("en",) if _OTHER_LATIN.search(run) else ("en", "es")
    return guess_language(run, known)
