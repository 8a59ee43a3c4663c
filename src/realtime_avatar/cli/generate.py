"""`avatar generate`: a table of texts, one film each."""

import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from realtime_avatar.cli.answer import Json, Language, Portrait, Square, Voice, settings_of, size_of
from realtime_avatar.cli.report import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime_avatar.config import Settings
    from realtime_avatar.dialogue.batch import Batch, Made
    from realtime_avatar.dialogue.scripts import Script


def generate(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="SCRIPTS.csv",
            help="With a column text, and perhaps name, language, voice and portrait.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the films; by default named like the table.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Films made at once.")] = 1,
    portrait: Portrait = None,
    voice: Voice = None,
    language: Language = None,
    square: Square = None,
    json: Json = False,
) -> None:
    """Say each text of a table on video; run again, it makes only what is not there yet."""
    from realtime_avatar.dialogue.scripts import read_scripts

    settings = settings_of(portrait, voice, language)
    scripts = read_scripts(table)
    folder = out or table.with_suffix("")
    batch = anyio.run(_generate, settings, scripts, folder, size_of(settings, square), workers)
    failed = [made for made in batch.films if made.problem]
    if json:
        films = [asdict(made) | {"film": str(made.film)} for made in batch.films]
        about = {"elapsed": batch.elapsed, "seconds": batch.seconds}
        print_json({**about, "throughput": batch.throughput, "films": films})
    else:
        _print(batch)
    for made in failed:
        print(f"avatar: {made.film}: {made.problem}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


async def _generate(
    settings: "Settings",
    scripts: "list[Script]",
    folder: Path,
    size: tuple[int, int] | None,
    workers: int,
) -> "Batch":
    from realtime_avatar.dialogue.batch import generate
    from realtime_avatar.dialogue.ensemble import Ensemble

    with ExitStack() as stack:
        told = _progress(stack, len(scripts))
        async with Ensemble(settings) as ensemble:
            return await generate(ensemble, scripts, folder, size, workers, told)


def _progress(stack: ExitStack, count: int) -> "Callable[[Made], None]":
    """Show a bar on stderr, if that is a terminal; return what to tell of each film."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.fields[seconds]:.0f} s of film"),
    )
    console = Console(stderr=True)
    progress = stack.enter_context(
        Progress(*columns, console=console, disable=not console.is_terminal)
    )
    task, seconds = progress.add_task("Films", total=count, seconds=0.0), 0.0

    def told(made: "Made") -> None:
        nonlocal seconds
        seconds += made.seconds
        progress.update(task, advance=1, seconds=seconds)

    return told


def _print(batch: "Batch") -> None:
    made = [film for film in batch.films if film.seconds]
    skipped = sum(film.skipped for film in batch.films)
    print(
        f"{len(made)} films of {batch.seconds:.1f} s made in {batch.elapsed:.1f} s:"
        f" {batch.throughput:.2f} s of film a second, {60 * len(made) / batch.elapsed:.1f} films"
        f" a minute; {skipped} were there already,"
        f" {sum(bool(film.problem) for film in batch.films)} failed"
    )
