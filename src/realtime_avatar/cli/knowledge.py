"""`avatar knowledge`: the avatar's own documents."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_avatar.cli.report import print_json, print_table, working
from realtime_avatar.config import load_settings

if TYPE_CHECKING:
    from realtime_avatar.thinking.knowledge import Knowledge

app = typer.Typer(help="The documents that the avatar answers from.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    files: Annotated[
        list[Path], typer.Argument(help="Markdown, text or PDF; same name: replaced.")
    ],
    json: Json = False,
) -> None:
    """Read documents, from which the avatar answers from now on."""
    knowledge = _open()
    with working("Reading", quiet=json):
        added = [knowledge.add(file) for file in files]
    if json:
        print_json([asdict(document) for document in added])
    else:
        for document in added:
            print(f"{document.name}: {document.passages} passages")


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the documents."""
    found = _open().documents()
    if json:
        print_json([asdict(document) for document in found])
    else:
        rows = [[document.name, str(document.passages)] for document in found]
        print_table("Documents", ["name", "passages"], rows, names=True)


@app.command()
def search(
    question: str,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Passages at most.")] = 5,
    json: Json = False,
) -> None:
    """Show what the documents say about a question, as the avatar looks it up."""
    found = _open().search(question, limit)
    if json:
        print_json([asdict(passage) for passage in found])
        return
    for passage in found:
        where = ", ".join(filter(None, (passage.document, passage.place)))
        print(f"{passage.score:.2f}  {where}\n      {passage.text}")
    if not found:
        print("nothing")


@app.command()
def remove(names: Annotated[list[str], typer.Argument(help="As `list` shows them.")]) -> None:
    """Forget documents."""
    knowledge = _open()
    for name in names:
        knowledge.remove(name)


def _open() -> "Knowledge":
    from realtime_avatar.thinking.knowledge import Knowledge

    return Knowledge(load_settings().knowledge_file)
