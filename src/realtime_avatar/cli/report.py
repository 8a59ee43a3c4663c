"""Printing for people and for programs."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

_STDERR = Console(stderr=True)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Generator[None]:
    """Show that something goes on, on stderr, unless quiet or not a terminal."""
    if quiet or not _STDERR.is_terminal:
        yield
        return
    with _STDERR.status(what + " …"):
        yield


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; numbers, which is what all but the first column hold, to the right."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_stages(film: dict[str, Any]) -> None:
    """Print what each stage of a film took."""
    rows = [
        [name, f"{stage['first']:.2f}", f"{stage['busy']:.2f}", f"{stage['factor']:.3f}"]
        for name, stage in film["stages"].items()
    ]
    rows.append(["first picture", f"{film['first_picture']:.2f}", "", ""])
    ratio = film["elapsed"] / film["seconds"]
    rows.append(["film finished", f"{film['elapsed']:.2f}", "", f"{ratio:.3f}"])
    print_table(
        f"A film of {film['seconds']:.1f} s; loading took {film['loading']:.1f} s before",
        ["stage", "first result after, s", "work, s", "work per second of sound"],
        rows,
    )
