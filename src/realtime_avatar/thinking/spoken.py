"""What may be spoken: the grammar that a local model's words are held to."""

import re
from typing import Final

# Not spoken: line breaks and tabs, markdown and code, arrows and pictographs.
_UNSPOKEN = (
    r"\x00-\x1F\x7F*#`_{}<>|\[\]~^\\\u00B2\u00B3\u00B9"
    r"\u2022\u2190-\u21FF\u2300-\u24FF\u25A0-\u27BF\u2B00-\u2BFF\uFE0F\U0001F000-\U0001FAFF"
)
_END = ".!?。！？…"
_PAUSE = ",，、;；"
_OPENING = "¡¿"

UNSPOKEN: Final = re.compile(f"[{_UNSPOKEN}]")
"""A letter that is not spoken."""

GRAMMAR: Final = rf"""
root ::= sentence (" "? sentence (" "? sentence (" "? sentence)?)?)?
sentence ::= (number | number? start clause) (pause clause){{0,8}} [{_END}]+ close*
clause ::= (number? char){{0,160}} number?
start ::= opening? [^{_UNSPOKEN}{_END}{_PAUSE}{_OPENING}0-9 :：)+–—-]
char ::= opening? [^{_UNSPOKEN}{_END}{_PAUSE}{_OPENING}0-9:：] | colon | point
opening ::= [{_OPENING}]
number ::= digits ([.,:] digits){{0,3}}
digits ::= [0-9]{{1,9}}
colon ::= [:：] " "? ["“«「『] [^{_UNSPOKEN}{_END}{_PAUSE}0-9 :：-]
point ::= "." ("com" | "org" | "net" | "es" | "cn") | abbreviation "." " "?
abbreviation ::= "Mr" | "Mrs" | "Ms" | "Dr" | "St" | "Sr" | "Sra" | [ap] "." "m"
pause ::= [{_PAUSE}]
close ::= ["'”’»）」』)]
"""
"""GBNF: one to four sentences on one line, without markdown, lists or emoji.

- A point inside a number, a time or an address does not end a sentence.
- A sentence does not begin with a dash, and a colon only introduces a quotation, so that
  few lists are begun. "1." is a sentence: a model that must not go on derails.
- An opening mark stands before a letter: a small model can go on with "¡¡¡" for ever.
- It has at most eight pauses, and 160 characters without one: a small model that has
  started to enumerate may never stop.
"""

_DIGITS = "[0-9]{1,9}"
_NUMBER = f"{_DIGITS}(?:[.,:]{_DIGITS}){{0,3}}"
_START = f"[{_OPENING}]?[^{_UNSPOKEN}{_END}{_PAUSE}{_OPENING}0-9 :：)+–—\\-]"
_COLON = f'[:：] ?["“«「『][^{_UNSPOKEN}{_END}{_PAUSE}0-9 :：\\-]'
_POINT = r"\.(?:com|org|net|es|cn)|(?:Mr|Mrs|Ms|Dr|St|Sr|Sra|[ap]\.m)\. ?"
_CHAR = f"(?:[{_OPENING}]?[^{_UNSPOKEN}{_END}{_PAUSE}{_OPENING}0-9:：]|{_COLON}|{_POINT})"
_CLAUSE = f"(?:(?:{_NUMBER})?{_CHAR}){{0,160}}(?:{_NUMBER})?"
_SENTENCE = (
    f"(?:{_NUMBER}|(?:{_NUMBER})?{_START}{_CLAUSE})(?:[{_PAUSE}]{_CLAUSE}){{0,8}}"
    f"[{_END}]+[\"'”’»）」』)]*"
)

PATTERN: Final = f"{_SENTENCE}(?: ?{_SENTENCE}(?: ?{_SENTENCE}(?: ?{_SENTENCE})?)?)?"
"""The language of `GRAMMAR` as a regular expression."""


def ends_sentence(text: str) -> bool:
    """Return whether a text stops at the end of a sentence."""
    return text.rstrip(" \"'”’»）」』)").endswith(tuple(_END))
