"""`avatar keys`: who may use the server."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from realtime_avatar.cli.report import print_json, print_table
from realtime_avatar.config import load_settings
from realtime_avatar.errors import InputError
from realtime_avatar.server.keys import SCOPES, Key, Keys, Scope, keys_file

app = typer.Typer(help="Make and revoke API keys of the server.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def root() -> None:
    """Make and revoke API keys of the server."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who gets it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What it is for, any number of: {', '.join(SCOPES)}. Default: all."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="How long it is valid; by default for ever.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option(min=1, help="A minute; by default as the settings say.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and print it: it is shown this once, only its hash is kept."""
    scopes = list[Scope]()
    for one in scope or ["all"]:
        if one not in SCOPES:
            raise InputError(f"there is no scope {one!r}; there are: {', '.join(SCOPES)}")
        scopes.append(one)
    key, token = _keys().create(name, scopes, days, requests)
    if json:
        print_json({"key": token, **_about(key)})
    else:
        print(token)


@app.command("list")
def list_(json: Json = False) -> None:
    """Show the keys; not what their owners show."""
    keys = _keys()
    valid = {key.id for key in keys.valid()}
    if json:
        print_json([{**_about(key), "valid": key.id in valid} for key in keys.all()])
        return
    rows = [
        [
            key.id,
            key.name,
            " ".join(key.scopes),
            _day(key.created),
            "never" if key.expires is None else _day(key.expires),
            "yes" if key.id in valid else "NO",
        ]
        for key in keys.all()
    ]
    columns = ["id", "name", "scopes", "made", "expires", "valid"]
    print_table(f"{keys.path}", columns, rows, names=True)


@app.command()
def revoke(number: Annotated[str, typer.Argument(metavar="ID", help="As listed.")]) -> None:
    """Make a key invalid, at once, also for a server that runs."""
    key = _keys().revoke(number)
    print(f"{key.id} ({key.name}) is revoked")


def _keys() -> Keys:
    return Keys(keys_file(load_settings().keys))


def _about(key: Key) -> dict[str, Any]:
    return key.model_dump(exclude={"hash"})


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
