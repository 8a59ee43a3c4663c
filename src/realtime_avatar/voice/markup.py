"""Markdown, tags and emoji: what is for the eye only is taken out."""

import re
from typing import Final

_TAG: Final = re.compile(r"</?[A-Za-z!][^<>\n]*>")
_LINES: Final = tuple(
    (re.compile(pattern, re.MULTILINE), said)
    for pattern, said in (
        (r"^[ \t]*(?:[-*_=][ \t]*){3,}$", ""),  # a rule
        (r"^[ \t]*\|?[ \t:|-]*-{3,}[ \t:|-]*$", ""),  # under the head of a table
        (r"^[ \t]*(?:>[ \t]?)+", ""),  # a quotation
        (r"^[ \t]*#{1,6}[ \t]+", ""),  # a heading
        (r"^[ \t]*[-*+•‣·][ \t]+(?:\[[ xX]\][ \t]+)?", ""),  # an item of a list
        (r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", ""),
    )
)
_CELL: Final = re.compile(r"[ \t]+\|[ \t]+")
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\](?:\([^)\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]\n]*\])")
_FOOTNOTE: Final = re.compile(r"(?<=[^\s\]])\[\^?\d+\]|\[\^\d+\]")
_AUTOLINK: Final = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_CODE: Final = re.compile(r"`+([^`\n]*)`+")
_STRONG: Final = re.compile(r"(\*{1,3}|~~)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_UNDERLINED: Final = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", re.DOTALL)
_LOOSE: Final = re.compile(r"`+|\*{2,}|~~|(?<!\w)_{2,}|_{2,}(?!\w)|(?<!\S)\*(?=\w)|(?<=\w)\*(?!\S)")
_EMOJI: Final = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\u2190-\u21ff"
    "\ufe00-\ufe0f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u20e3\ue000-\uf8ff"
    "\U000e0000-\U000e007f©®™]+"
)


def plain(text: str) -> str:
    """Return the text as it would be read aloud, without marks that are not read.

    A link is its words, a table its cells, `code` its name; emoji are dropped.
    """
    text = _AUTOLINK.sub(r"\1", text)
    text = _FOOTNOTE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _CODE.sub(_name, text)
    text = _TAG.sub(" ", text)
    for pattern, said in _LINES:
        text = pattern.sub(said, text)
    text = _CELL.sub(", ", text)
    for _ in range(2):  # strong within emphasis
        text = _STRONG.sub(r"\2", text)
        text = _UNDERLINED.sub(r"\2", text)
    text = _LOOSE.sub("", text)
    return _EMOJI.sub(" ", text)


def _name(code: re.Match[str]) -> str:
    """Return `snake_case(x)` as words."""
    return re.sub(r"(?<=\w)_(?=\w)|\(\)|[{}\[\]]", " ", code[1]).strip()
