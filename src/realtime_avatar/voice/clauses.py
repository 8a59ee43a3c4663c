"""Cutting streamed text into clauses to speak.

Every decision is taken when a character arrives, from the characters before it alone, so
the pieces in which the text comes make no difference, and the clauses join to the text
exactly. A boundary is decided when the first character after its white space is known:
"approx. five" and "No. 5" go on, "It is five. No." ends.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile
from math import inf
from typing import Final

from realtime_avatar.errors import InputError

LIMIT: Final = 5000
"""Characters that one speech may have: about six minutes of English."""


class Ending(IntEnum):
    """What a clause ends with; the order is that of the pause after it."""

    WORD = 0
    COMMA = 1
    SENTENCE = 2
    PARAGRAPH = 3


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of text to be spoken in one breath.

    Attributes:
        text: As it was written, with the white space after it.
        ending: What comes after it.
        code: It is a line of a fenced block of code, which is not for the ear.
        whole: False for a beginning, which will come again, longer.
    """

    text: str
    ending: Ending
    code: bool = False
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """How long clauses may be, in letters: a Chinese character counts as three.

    Speech starts with the first clause, so that one is cut at the first comma after
    `first` letters, or between a long subject and its verb, where people breathe too; at the
    latest before the word that makes it longer than `hurry`.
    Later ones are whole sentences, unless longer than all that was said before them: then
    they would not be ready in time, and are cut at a comma too.

    Attributes:
        first: Fewest letters before a comma ends the first clause.
        subject: Fewest letters before a verb ends the first clause.
        hurry: Most letters of a first clause without punctuation.
        later: Letters that a later clause may always have.
        longest: Most letters of any clause.
        eager: Letters of a clause that are worth beginning with before it is whole; 0 for
            voices that cannot go on in the midst of a clause.
        growth: How many times as long as all before it a later clause may be that has no comma.
        word_ends: Tells whether a word ends between a text and the character after it, of a
            script without spaces; if None, words may end anywhere in one.
    """

    first: int = 15
    subject: int = 20
    hurry: int = 60
    later: int = 60
    longest: int = 240
    eager: int = 0
    growth: float = inf
    word_ends: Callable[[str, str], bool] | None = None


AHEAD: Final = 2
"""Words that must be known beyond those that a beginning is heard of: they give it its melody."""

_LATIN: Final = "A-Za-z\u00c0-\u024f"
_PLAIN: Final = re.compile(rf"[{_LATIN}]+(['’][{_LATIN}]+)?[,;:]?")
"""A word whose sound does not depend on what follows, as that of "$5" or "Dr." does; of another
script, it may have none, or many for each letter."""

_HAN: Final = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WIDE_STOPS: Final = "。！？"
_WIDE_COMMAS: Final = "，；：、"
_STOPS: Final = ".!?…" + _WIDE_STOPS
_COMMAS: Final = ",;:—–" + _WIDE_COMMAS
_CLOSERS: Final = "\"'”’»)]}」』）】》*_`~"
_SHUTS: Final = "”’»)]}」』）】》" + _STOPS + _COMMAS  # never the first of a clause

_ABBREVIATIONS: Final = (  # never the end of a sentence, whatever follows
    " dr dra mr mrs ms prof profa st sr sra srta d dña gen gov sen rep capt lt col sgt rev hon "
    "e.g i.e p.ej cf vs ca u.s u.k u.n ee uu ee.uu av avda c dto lic ing arq mt ft jr "
)
_BEFORE_NUMBERS: Final = (
    " no nos nº núm num p pp pág págs fig figs vol ch cap sec art eq tel jan feb mar apr jun jul "
    "aug sep sept oct nov dec ene abr ago dic "
)
_CONJUNCTIONS: Final = (
    " and but or because that which who when where while if with "
    "y e o u pero porque que cuando donde mientras si para con sino aunque "
)
_LEANING: Final = (  # on the next word: no breath after them
    " a an the of to in on at by my your his her our their this these is are was i "
    "el la los las un una unos unas de del al en a por su sus mi mis tu tus este esta es son "
    "是 在 由 被 把 将 对 从 向 和 与 及 或 为 以 于 到 给 让 使 用 按 比 像 有 这 那 每 各 第 "
    "不 没 没有 很 最 更 太 非常 都 也 就 还 又 才 再 已 已经 正在 会 能 可以 要 一 两 个 一个 上 "
    "以后 以前 因为 如果 虽然 但是 而且 所以 "
)
_VERBS: Final = (  # a long subject may have come to its end before them
    " is are was were has have had can could will would should may might "
    "es son era eran fue fueron está están tiene tienen ha han puede pueden 是 "
)
_PRONOUNS: Final = " i you he she it we they there that this which who what que yo tú él ella eso "
_NOT_VERBS: Final = re.compile(r"[但就可还不也都正总算于若只要凡或倒真更以的]是$|是.*是$")
_HAN_ENDS: Final = "的"
_HAN_SUFFIXES: Final = frozenset("的地得了着过们吗呢吧啊呀嘛上下里中内外间前后时之等以你您我他她它")
"""They belong to the word before them, or are an object after which little follows."""
_COUNTS: Final = re.compile("(?:^|的)[一二两三四五六七八九十百千几数这那每各某第].?$|[0-9]$")
"""What so ends leans on the next word."""

_INITIAL: Final = re.compile(r"(?:^|[\s.(])[^\W\d_]$")
_ADDRESS: Final = re.compile(r"://|www\.|@|^[/~][\w.]")


class Cutter:
    """Takes pieces of text, gives clauses."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._text = ""  # what is not cut off yet
        self._letters = 0  # in it
        self._said = 0  # letters in the clauses so far
        self._taken = 0  # characters so far
        self._comma = 0  # the last place in the text where a clause could end
        self._word = 0  # where its last word begins
        self._line = ""  # the line that is coming in
        self._code = False  # between fences
        self._begun = 0  # words in the last beginning of this clause that was given

    def feed(self, piece: str) -> list[Clause]:
        """Take a piece; return the clauses that it completes.

        Raises:
            InputError: if the text is longer than `LIMIT` characters.
        """
        self._taken += len(piece)
        if self._taken > LIMIT:
            raise InputError(f"the text to say is longer than {LIMIT:,} characters")
        clauses: list[Clause] = []
        for char in piece:
            if self._code or self._at_fence():
                clauses += self._code_char(char)
            else:
                clauses += self._prose_char(char)
            self._line = "" if char == "\n" else self._line + char
        return clauses

    def beginning(self) -> Clause | None:
        """Return what is known of the clause under way, if by now it is more words than before.

        What follows a comma at which it may yet be cut is left out, and what follows a word
        that is not plain.
        """
        pace = self._pace
        if not pace.eager or self._code:
            return None
        words = self._text[: self._comma].split() if self._comma else self._text.split()[:-1]
        words = list(takewhile(_PLAIN.fullmatch, words))
        if len(words) == self._begun or sum(map(len, words[:-AHEAD])) < pace.eager:
            return None
        self._begun = len(words)
        return Clause(" ".join(words) + " ", Ending.WORD, whole=False)

    def finish(self) -> list[Clause]:
        """Return what is left."""
        if not self._text:
            return []
        ending = max(self._boundary(""), Ending.COMMA)
        code = self._code or self._at_fence()
        return [self._cut(len(self._text), ending, code=code)]

    def _at_fence(self) -> bool:
        line = self._line.lstrip()
        return line.startswith("```") and "`" not in line[3:]

    def _code_char(self, char: str) -> list[Clause]:
        self._text += char
        if char != "\n":
            return []
        self._code ^= self._at_fence()
        return [self._cut(len(self._text), Ending.PARAGRAPH, code=True)]

    def _prose_char(self, char: str) -> list[Clause]:
        starts = not char.isspace() and bool(self._text.strip())
        clauses = self._before(char) if starts else []
        self._text += char
        self._letters += _letters(char)
        return clauses

    def _before(self, char: str) -> list[Clause]:
        """Cut what comes before a visible character, where it is time to."""
        starts_word = self._starts_word(char)
        found = self._end(char, starts_word=starts_word)
        clauses = [self._cut(*found)] if found else []
        if starts_word:
            self._word = len(self._text)
        return clauses

    def _starts_word(self, char: str) -> bool:
        """Tell whether a word begins with the character that follows the text."""
        last = self._text[-1]
        if last.isspace():
            return True
        if char in _SHUTS:
            return False
        if _is_han(last) != _is_han(char):
            return True
        if not _is_han(char):
            return False
        ends = self._pace.word_ends
        if not ends:
            return True
        leans = char in _HAN_SUFFIXES or (last in _HAN_ENDS and char == "是")
        return not leans and ends(self._text, char)

    def _end(self, char: str, *, starts_word: bool) -> tuple[int, Ending] | None:
        """Return where the clause before `char` ends, and how, if it is time to."""
        here = len(self._text)
        boundary = self._boundary(char)
        if boundary >= Ending.SENTENCE:
            return here, boundary
        if self._said:
            soft = min(max(self._pace.later, self._said), self._pace.longest)
            hard = min(max(self._pace.growth * self._said, soft), self._pace.longest)
        else:
            soft, hard = self._pace.hurry * 2 // 3, self._pace.hurry
        if boundary == Ending.COMMA:
            if not self._said and self._letters >= self._pace.first:
                return here, boundary
            self._comma = here
        if self._comma and self._letters > (soft if self._said else hard):
            return self._comma, Ending.COMMA
        if not starts_word:
            return (here, Ending.WORD) if self._letters > self._pace.longest else None
        word = f" {self._text[self._word :].strip().casefold()} "
        if not self._said and word in _VERBS and self._after_subject():
            return self._word, Ending.WORD
        if self._letters > soft and self._word and word in _CONJUNCTIONS:
            return self._word, Ending.WORD
        room = hard * 3 // 4 if self._text[-1] in _HAN_ENDS else hard
        leans = word in _LEANING or _COUNTS.search(word.strip())
        if leans or char.isupper() or char.isdigit():  # siglo XVI, room 214, New York
            room += 20
        return (here, Ending.WORD) if self._letters > room else None

    def _after_subject(self) -> bool:
        """Whether the text but for its last word, a verb, may be a subject worth a breath."""
        before = self._text[: self._word]
        words = before.casefold().split()
        return (
            sum(map(_letters, before)) >= self._pace.subject
            and not self._comma
            and f" {words[-1]} " not in _PRONOUNS
            and not any(f" {word} " in _VERBS for word in words)
            and not _NOT_VERBS.search(self._text)
        )

    def _cut(self, at: int, ending: Ending, *, code: bool = False) -> Clause:
        text, self._text = self._text[:at], self._text[at:]
        if not code:
            self._said += sum(map(_letters, text))
        self._letters = sum(map(_letters, self._text))
        self._comma = self._begun = 0
        self._word = max(self._word - at, 0)
        return Clause(text, ending, code)

    def _boundary(self, char: str) -> Ending:
        """Return what lies between the text and the next visible character."""
        body = self._text.rstrip()
        gap = self._text[len(body) :]
        if "\n" in gap:
            return Ending.PARAGRAPH
        if not gap and char and char in _SHUTS:
            return Ending.WORD
        stem = body.rstrip(_CLOSERS)
        if not stem or stem[-1].isspace():
            return Ending.WORD
        last = stem[-1]
        if last in _WIDE_STOPS:
            return Ending.SENTENCE
        if last in _WIDE_COMMAS:
            return Ending.COMMA
        opened = bool(char) and (char in "¿¡“«「『（【《" or _is_han(char))
        word = stem.split()[-1]
        address = bool(_ADDRESS.search(word))
        if last in "!?" and (gap or not char or opened or (char.isalnum() and not address)):
            return Ending.COMMA if char.islower() else Ending.SENTENCE
        if not (gap or not char or opened):
            return Ending.WORD
        if last in ".…":
            return self._full_stop(stem, word, char)
        return Ending.COMMA if last in _COMMAS else Ending.WORD

    def _full_stop(self, stem: str, word: str, char: str) -> Ending:
        if char.islower():
            return Ending.COMMA if stem.endswith(("...", "…")) else Ending.WORD
        name = word.rstrip(".").lstrip("(“‘\"'¿¡[*_").casefold()
        if stem.endswith("."):
            numbered = f" {name} " in _BEFORE_NUMBERS and char.isdigit()
            item = name.isdigit() and self._begins_line(word)
            if char and (f" {name} " in _ABBREVIATIONS or numbered or item):
                return Ending.WORD
            if char and _INITIAL.search(stem.rstrip(".")) and name not in "iy":
                return Ending.WORD
        return Ending.SENTENCE

    def _begins_line(self, word: str) -> bool:
        """Whether `word`, the last, is the first of its line: "1." of a list."""
        return self._text.rstrip().rpartition("\n")[2].strip() == word


async def cut(pieces: AsyncIterable[str], pace: Pace | None = None) -> AsyncGenerator[Clause]:
    """Yield the clauses of a streamed text, and their beginnings if the pace is eager.

    Raises:
        InputError: if the text is longer than `LIMIT` characters.
    """
    cutter = Cutter(pace)
    async for piece in pieces:
        for clause in cutter.feed(piece):
            yield clause
        if beginning := cutter.beginning():
            yield beginning
    for clause in cutter.finish():
        yield clause


def _is_han(char: str) -> bool:
    return bool(re.match(f"[{_HAN}]", char))


def _letters(char: str) -> int:
    return 3 if _is_han(char) else 1
