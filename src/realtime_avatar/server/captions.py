"""What was heard in a recording, cut into lines that can be read while it plays."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from realtime_avatar.engines.ports import Phrase, Transcript
from realtime_avatar.media.subtitles import Line

LETTERS: Final = 84
"""Of one line at most: two rows of a film's subtitles."""

SECONDS: Final = 7.0
"""For which one line stands at most."""

_SENTENCE: Final = re.compile(r".+?(?:[.!?…]+[\"'”’»)]*\s+|[。！？]+[”’」』）]*|$)\s*", re.DOTALL)
# Where a line may end: after a word, or after any character where there are no spaces.
_UNSPACED: Final = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD: Final = re.compile(rf"(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)[^\w\s{_UNSPACED}]*\s*")


def captions(heard: Transcript, rate: int) -> list[Line]:
    """Return a transcript as lines, each a sentence or a part of one.

    Where the recogniser knows no times, they follow from how many letters there are.

    Args:
        heard: With the samples counted from the recording's beginning.
        rate: Of those, Hz.
    """
    phrases = heard.phrases or (Phrase(heard.text, heard.start, heard.end),)
    return [
        line
        for phrase in phrases
        if phrase.text
        for sentence in _spread((phrase.start / rate, phrase.end / rate), _sentences(phrase.text))
        for line in _short(sentence)
    ]


def _sentences(text: str) -> list[str]:
    return [found[0] for found in _SENTENCE.finditer(text) if found[0].strip()]


def _short(sentence: Line) -> Iterator[Line]:
    """Cut a sentence into as few parts as may be, of about the same length."""
    start, end, text = sentence
    words = [found[0] for found in _WORD.finditer(text)]
    for count in range(1, len(words) + 1):
        lines = _spread((start, end), _parts(words, count))
        fits = (len(text) <= LETTERS and end - start <= SECONDS for start, end, text in lines)
        if all(fits) or count == len(words):
            yield from lines
            return


def _parts(words: Sequence[str], count: int) -> list[str]:
    """Join words into so many parts, or fewer."""
    parts, at, whole = [""] * count, 0, sum(map(len, words))
    for word in words:
        parts[min((at + len(word) // 2) * count // whole, count - 1)] += word
        at += len(word)
    return [part for part in parts if part]


def _spread(times: tuple[float, float], texts: Sequence[str]) -> list[Line]:
    """Give each text its share of a time, by its letters."""
    start, end = times
    lines: list[Line] = []
    at, each = 0, (end - start) / max(1, sum(map(len, texts)))
    for text in texts:
        begin, at = start + at * each, at + len(text)
        lines.append((round(begin, 3), round(start + at * each, 3), text.strip()))
    return lines
