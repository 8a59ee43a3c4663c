"""Documents cut into passages: Markdown, plain text and PDF."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from realtime_avatar.errors import InputError

KINDS: Final = (".md", ".markdown", ".txt", ".pdf")
MAX_BYTES: Final = 50_000_000
"""Of a document's file."""

LONGEST: Final = 400
"""Characters of a passage, half a minute of speech; a longer sentence is cut."""

_HEADING: Final = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_FENCE: Final = re.compile(r"\s*(?:```|~~~)")
_SENTENCE: Final = re.compile(r".+?(?:[.!?…]+(?=\s)|[。！？]+|$)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """A passage as it stands in a document.

    Attributes:
        place: Where, in words: the headings above it, or the page; empty if there are none.
        text: On one line.
    """

    place: str
    text: str


def read_document(path: Path) -> list[Section]:
    """Read a document's passages.

    Raises:
        InputError: if it cannot be read, is of another kind, or has no text in it.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise InputError(f"{path} is none of the documents that can be read: {', '.join(KINDS)}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if kind == ".pdf":
        parts = list(_pages(path))
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text in UTF-8") from error
        parts = [("", text)] if kind == ".txt" else list(_under_headings(text))
    sections = [
        Section(place, passage)
        for place, text in parts
        for passage in _passages(text)
        if any(letter.isalnum() for letter in passage)
    ]
    if not sections:
        raise InputError(f"there is no text in {path}; a scanned document has only pictures")
    return sections


def _pages(path: Path) -> Iterator[tuple[str, str]]:
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        for number, page in enumerate(pypdf.PdfReader(path).pages, 1):
            yield f"page {number}", page.extract_text()
    except (PyPdfError, ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise InputError(f"{path} is no PDF that can be read: {error}") from error


def _under_headings(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text under each heading of a Markdown document, and the headings above it."""
    above: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield _place(above), "\n".join(lines)
        lines = []
        level = len(heading[1])
        above = [*(one for one in above if one[0] < level), (level, heading[2])]
    yield _place(above), "\n".join(lines)


def _place(above: list[tuple[int, str]]) -> str:
    return " › ".join(title for _, title in above)


def _passages(text: str) -> Iterator[str]:
    """Yield paragraphs, long ones cut between sentences."""
    for paragraph in re.split(r"\n\s*\n", text):
        passage = ""
        for sentence in _SENTENCE.findall(paragraph):
            for at in range(0, len(sentence), LONGEST):
                piece = sentence[at : at + LONGEST]
                if passage and len(passage) + len(piece) > LONGEST:
                    yield " ".join(passage.split())
                    passage = ""
                passage += piece
        yield " ".join(passage.split())
