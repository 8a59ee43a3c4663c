"""A table of texts, one film each."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from realtime_avatar.dialogue.one_shot import check_text
from realtime_avatar.errors import InputError

COLUMNS: Final = ("text", "name", "language", "voice", "portrait")
"""Of the table; all but the first may be left out or empty."""

_MOST: Final = 100_000  # rows


@dataclass(frozen=True, slots=True)
class Script:
    """One row.

    Attributes:
        text: What is said.
        name: Of the film, without ".mp4".
        language: ISO 639-1; empty: found out.
        voice: "engine:speaker"; empty: as the settings say.
        portrait: Whose film; None: the settings' portrait.
    """

    text: str
    name: str
    language: str = ""
    voice: str = ""
    portrait: Path | None = None

    def digest(self, *more: str) -> str:
        """Return a hash of all that the film depends on: the script, the portrait and `more`."""
        face = sha256(self.portrait.read_bytes()).hexdigest() if self.portrait else ""
        parts = [self.text, self.language, self.voice, face, *more]
        return sha256(json.dumps(parts).encode()).hexdigest()


def read_scripts(table: Path) -> list[Script]:
    """Read a CSV file (UTF-8, with a header). Portraits are found beside it.

    Raises:
        InputError: naming the row, if one of them cannot become a film.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except FileNotFoundError:
        raise InputError(f"there is no file {table}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} cannot be read as CSV: {error}") from None
    if not rows:
        raise InputError(f"{table} has no row below its header")
    if len(rows) > _MOST:
        raise InputError(f"{table} has more than {_MOST:,} rows")
    scripts = [_script(row, number, table) for number, row in enumerate(rows, 1)]
    name, count = Counter(script.name for script in scripts).most_common(1)[0]
    if count > 1:
        raise InputError(f"{table} names {count} films {name!r}")
    return scripts


def _script(row: dict[Any, Any], number: int, table: Path) -> Script:
    where = f"{table}, row {number}"
    if None in row or None in row.values():
        raise InputError(f"{where}: it has not as many fields as the header")
    if unknown := set(row) - set(COLUMNS):
        known = ", ".join(COLUMNS)
        raise InputError(f"{table} has a column {min(unknown)!r}; known are: {known}")
    if "text" not in row:
        raise InputError(f"{table} has no column 'text'")
    field = {column: (row.get(column) or "").strip() for column in COLUMNS}
    try:
        check_text(field["text"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    name = field["name"].removesuffix(".mp4") or f"{number:04}"
    if name != Path(name).name or name.startswith("."):
        raise InputError(f"{where}: {name!r} is no name of a file")
    portrait = table.parent / field["portrait"] if field["portrait"] else None
    if portrait is not None and not portrait.is_file():
        raise InputError(f"{where}: there is no file {portrait}")
    return Script(field["text"], name, field["language"], field["voice"], portrait)
