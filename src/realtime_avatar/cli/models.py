"""`avatar models`: what weights there are, which are here, and getting them here."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realtime_avatar.config import load_settings
from realtime_avatar.errors import ConfigError, ModelMissing

if TYPE_CHECKING:
    from realtime_avatar.models.assembly import Progress
    from realtime_avatar.models.catalogue import Catalogue, Model
    from realtime_avatar.models.store import ModelStore, Status

app = typer.Typer(
    help="List, fetch, check and remove models.", no_args_is_help=True, add_completion=False
)

_UNPINNED = "here, but unpinned: no hash is known to check it by"

Ids = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _store(offline: bool | None = None) -> "ModelStore":
    from realtime_avatar.models.store import ModelStore

    settings = load_settings(offline=offline)
    return ModelStore(settings.models, offline=settings.offline)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the models, what each is for, and whether it is here."""
    from realtime_avatar.cli.report import print_json

    found = _store().status()
    if json:
        print_json(
            [
                {
                    **status.model.model_dump(mode="json", exclude={"sources"}),
                    "sources": [source.kind for source in status.model.sources],
                    "state": status.state,
                    "path": str(status.folder),
                    "partial_bytes": status.partial_bytes,
                }
                for status in found
            ]
        )
        return
    _print(found)


@app.command()
def pull(
    models: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All of the catalogue.")] = False,
    languages: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="LANGUAGES",
            help="The defaults and the voices of these languages, like zh,es.",
        ),
    ] = "",
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            exists=True,
            help="Copy them from this folder, which holds their files or folders of their names.",
        ),
    ] = None,
    offline: Annotated[
        bool | None, typer.Option("--offline", help="Start no package client.", show_default=False)
    ] = None,
) -> None:
    """Fetch models that are not here yet: the given ones, or those of the main job."""
    store = _store(offline)
    wanted = _wanted(store.catalogue, models or [], every, languages)
    missing = [model for model in wanted if not store.has(model.id)]
    if not missing:
        print("all here:", ", ".join(model.id for model in wanted))
        return
    failures = list[str]()
    with _bars() as bar:
        for model in missing:
            try:
                _pull(store, model, bar, source, instead=not models and not every)
            except ModelMissing as error:
                failures.append(str(error))
            else:
                if model.unpinned:
                    typer.echo(f"{model.id}: {_UNPINNED}", err=True)
    if failures:
        raise ModelMissing("\n".join(failures))


@app.command()
def verify(models: Ids = None, json: Json = False) -> None:
    """Hash models again: the given ones, or all that are here."""
    store = _store()
    chosen = [store.catalogue[model] for model in models or []] or [
        status.model for status in store.status() if status.state != "missing"
    ]
    found = list[dict[str, Any]]()
    with _bars() as bar:
        for model in chosen:
            problem = ""
            try:
                store.verify(model.id, bar(model))
            except ModelMissing as error:
                problem = str(error)
            found.append({"id": model.id, "ok": not problem, "problem": problem})
    if json:
        from realtime_avatar.cli.report import print_json

        print_json(found)
    for model in found:
        if model["ok"] and not json:
            print(
                f"{model['id']}: {_UNPINNED if store.catalogue[model['id']].unpinned else 'right'}"
            )
    problems = [model["problem"] for model in found if not model["ok"]]
    if problems:
        raise ModelMissing("\n".join(problems))


@app.command()
def path(model: Annotated[str, typer.Argument()]) -> None:
    """Print the folder of a model that is here and right."""
    print(_store().path(model))


@app.command()
def remove(models: Annotated[list[str], typer.Argument(metavar="MODEL...")]) -> None:
    """Delete models, and what interrupted pulls of them have left."""
    store = _store()
    for model in [store.catalogue[model] for model in models]:
        print(f"{model.id}: {'removed' if store.remove(model.id) else 'was not here'}")


def _print(found: "list[Status]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a file or a pipe has no width of its own
    table = Table(box=None, pad_edge=False)
    longest = max((len(status.model.id) for status in found), default=0)
    table.add_column("id", no_wrap=True, min_width=longest)
    for column in ("state", "licence", "languages"):
        table.add_column(column, no_wrap=True)
    table.add_column("size", no_wrap=True, justify="right")
    if console.width >= 110:
        table.add_column("what", no_wrap=True)
    for status in found:
        model = status.model
        languages = "any" if "*" in model.languages else " ".join(model.languages[:3])
        if len(model.languages) > 3:
            languages += f" +{len(model.languages) - 3}"
        row = [
            model.id,
            "interrupted" if status.partial_bytes else status.state,
            model.licence,
            languages,
            _megabytes(model.size),
            model.title,
        ]
        table.add_row(*row[: len(table.columns)])
    console.print(table)


def _wanted(
    catalogue: "Catalogue", ids: list[str], every: bool, languages: str
) -> "tuple[Model, ...]":
    if bool(ids) + every + bool(languages) > 1:
        raise ConfigError("name models, or --all, or --for languages, not two of these")
    if ids:
        return tuple(catalogue[model] for model in dict.fromkeys(ids))
    if every:
        return catalogue.models
    codes = [code.strip() for code in languages.split(",") if code.strip()]
    return catalogue.defaults() + catalogue.voices_for(codes)


def _pull(
    store: "ModelStore",
    model: "Model",
    bar: "Callable[[Model], Progress]",
    source: Path | None,
    *,
    instead: bool,
) -> None:
    try:
        store.pull(model.id, bar(model), source)
    except ModelMissing as error:
        if not instead or model.alternative is None:
            raise
        typer.echo(f"avatar: {error}", err=True)
        _pull(store, store.catalogue[model.alternative], bar, source, instead=True)


@contextmanager
def _bars() -> "Generator[Callable[[Model], Progress]]":
    """Show progress on stderr: a bar for each model, or a line where that is no terminal."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    bars = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )

    def bar(model: "Model") -> "Progress":
        if not console.is_terminal:
            typer.echo(f"{model.id} ({_megabytes(model.size)}) …", err=True)
        task = bars.add_task(model.id, total=model.size)

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=what)

        return show

    with bars:
        yield bar


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
