"""`avatar conversations`: what was said, for who runs the server."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import anyio
import typer

from realtime_avatar.cli.report import print_json, print_table
from realtime_avatar.config import load_settings
from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.identity.export import Format, describe, export

if TYPE_CHECKING:
    from realtime_avatar.identity.store import Store

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]

app = typer.Typer(
    help="List, search, show, export and delete the conversations that are kept.",
    no_args_is_help=True,
)


@app.command("list")
def list_(limit: Number = 50, json: Json = False) -> None:
    """List the conversations of everybody, the latest first."""
    _print("", limit, json)


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="Words that one turn must have, all of them.")],
    limit: Number = 50,
    json: Json = False,
) -> None:
    """Find the conversations in which something was said."""
    _print(words, limit, json)


@app.command()
def show(conversation: str, json: Json = False) -> None:
    """Show a conversation turn by turn."""
    found = _with_store(lambda store: store.get(conversation, None))
    if json:
        print_json(describe(found))
    else:
        print(export(found, "markdown"))


@app.command("export")
def export_(
    conversation: str,
    format: Annotated[Format, typer.Option(help="Of the file.")] = "json",  # noqa: A002
    out: Annotated[Path | None, typer.Option(help="File; by default it is printed.")] = None,
) -> None:
    """Write a conversation as JSON, Markdown or SRT subtitles."""
    text = export(_with_store(lambda store: store.get(conversation, None)), format)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from error


@app.command()
def delete(
    conversation: Annotated[list[str] | None, typer.Argument(help="Ids, any number.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Delete every conversation.")] = False,
) -> None:
    """Delete conversations for good."""
    if bool(conversation) == all_:
        raise InputError("name the conversations to delete, or say --all")

    async def work(store: "Store") -> int:
        if all_:
            return await store.delete_all(None)
        for key in conversation or []:
            await store.delete(key, None)
        return len(conversation or [])

    print(f"Deleted: {_with_store(work)}")


def _print(query: str, limit: int, json: bool) -> None:
    page = _with_store(lambda store: store.list(None, query, limit=limit))
    if json:
        print_json([describe(item) for item in page.items])
        return
    rows = [
        [
            item.id,
            " ".join((item.excerpt or item.title).split()),
            item.name,
            str(item.count),
            f"{item.updated:%F %R}",
        ]
        for item in page.items
    ]
    title = f"{len(rows)} of {page.total} conversations; times in UTC"
    print_table(title, ["id", "words", "with", "turns", "last"], rows, names=True)


def _with_store(work: Callable[["Store"], Awaitable[T]]) -> T:
    from realtime_avatar.identity.store import open_store

    database = load_settings().database
    if database == "none":
        raise ConfigError('the settings say that no conversations are kept: database = "none"')

    async def run() -> T:
        async with open_store(database) as store:
            return await work(store)

    return anyio.run(run)
