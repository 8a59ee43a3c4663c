"""`avatar consent`: who agreed to what; and `avatar inspect`: what a film says of itself."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from realtime_avatar.cli.report import print_json, print_table
from realtime_avatar.config import load_settings
from realtime_avatar.errors import InputError

app = typer.Typer(help="See, export and withdraw what people agreed to.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Name = Annotated[str, typer.Argument(help="As `avatar consent list` names it.")]


@app.callback()
def root() -> None:
    """See, export and withdraw what people agreed to."""


@app.command("list")
def list_(json: Json = False) -> None:
    """List the voices and portraits of people, and who agreed to them when."""
    from realtime_avatar.identity.records import Records

    found = Records(load_settings().people).all()
    if json:
        print_json(found)
        return
    print_table(
        "Consent",
        ["name", "kind", "of", "agreed"],
        [
            [one["name"], one["kind"], one["consent"]["person"], one["consent"]["when"]]
            for one in found
        ],
        names=True,
    )


@app.command()
def export(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="File to write; default: print it.")] = None,
) -> None:
    """Write a record of consent as JSON."""
    from json import dumps

    from realtime_avatar.identity.records import Records

    record = Records(load_settings().people).get(name)
    if out is None:
        print_json(record)
        return
    try:
        out.write_text(dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from error


@app.command()
def revoke(name: Name) -> None:
    """Withdraw consent: the voice or portrait is deleted, and a server stops using it."""
    from realtime_avatar.identity.records import Records
    from realtime_avatar.media.credentials import now

    Records(load_settings().people).revoke(name, now())
    typer.echo(f"{name}: deleted")


def inspect(
    file: Annotated[Path, typer.Argument(help="A film, or any file with content credentials.")],
    json: Json = False,
) -> None:
    """Read the content credentials (C2PA) of a file: who made it, and whether by AI."""
    from realtime_avatar.media.credentials import read_credentials

    found = read_credentials(file)
    if json:
        print_json(asdict(found) if found else None)
        return
    if found is None:
        print(f"{file}: no content credentials")
        return
    print(f"Made by       {found.generator}, {'AI' if found.ai_generated else 'not said to be AI'}")
    print(f"Unchanged     {'yes' if found.intact else 'NO: it was changed after it was signed'}")
    vouched = "a known authority" if found.trusted else "no authority, only by itself"
    print(f"Signed by     {found.issuer}; vouched for by {vouched}")
