"""Printing for people and for programs."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def working(what: str, *, quiet: bool = False) -> Generator[None]:
    """Show that something goes on, on stderr, unless quiet or not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what + " …"):
        yield


@contextmanager
def telling() -> Generator[Callable[[str], None]]:
    """Show what goes on now, on stderr, if that is a terminal; yield what to tell it to."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("…") as status:
        yield lambda what: status.update(f"{what} …")


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(
    title: str, columns: list[str], rows: list[list[str]], *, names: bool = False
) -> None:
    """Print a table; numbers, which is what all but the first column hold, to the right.

    Args:
        title: Above it.
        columns: Their heads.
        rows: Of as many cells, which are printed as they are.
        names: Whether the first column has what other commands take, so that it is never cut
            or broken, however narrow the terminal.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        # A file or a pipe has no width of its own.
        console = Console(markup=False, emoji=False, width=160)
    table = Table(title=title, title_justify="left")
    longest = max((cell_len(row[0]) for row in rows), default=0) if names else None
    table.add_column(columns[0], no_wrap=names, min_width=longest, overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_film(film: dict[str, Any], *, as_json: bool) -> None:
    """Print what was asked and answered, what each stage took, and where the film is."""
    if as_json:
        print_json(film)
        return
    if film["question"]:
        print(f"Question  {film['question']}")
        print(f"Answer    {film['answer']}")
    _print_stages(film)
    print(film["video"])


def _print_stages(film: dict[str, Any]) -> None:
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
