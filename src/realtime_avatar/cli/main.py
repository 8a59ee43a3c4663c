"""The commands' tree, and how errors leave it."""

import os
import sys
from typing import Annotated

import typer

from realtime_avatar import __version__
from realtime_avatar.cli import (
    answer,
    bench,
    consent,
    conversations,
    doctor,
    engines,
    enrol,
    evaluate,
    face,
    generate,
    keys,
    knowledge,
    models,
    serve,
)
from realtime_avatar.errors import AvatarError, leaves

app = typer.Typer(
    name="avatar",
    help="A photograph that listens, answers and is seen saying it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(answer.answer)
app.command()(answer.say)
app.command()(answer.transcribe)
app.command()(generate.generate)
app.command()(consent.inspect)
app.command()(doctor.doctor)
app.add_typer(engines.app, name="engines")
app.add_typer(models.app, name="models")
app.add_typer(conversations.app, name="conversations")
app.add_typer(face.app, name="face")
app.add_typer(keys.app, name="keys")
app.add_typer(enrol.app, name="enrol")
app.add_typer(knowledge.app, name="knowledge")
app.add_typer(consent.app, name="consent")
app.add_typer(bench.app, name="bench")
app.add_typer(evaluate.app, name="eval")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it and exit.")
    ] = False,
) -> None:
    """A photograph that listens, answers and is seen saying it."""


def main() -> None:
    """Run the command line; an error is one line on stderr and an exit code."""
    code = 0
    try:
        app()
    except* AvatarError as group:
        code = max(_tell(error) for error in leaves(group))
    except* BrokenPipeError:  # `avatar … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    # Not above: Debian's Python 3.11.2 makes a group of what `except*` raises.
    sys.exit(code)


def _tell(error: AvatarError) -> int:
    print(f"avatar: {error}", file=sys.stderr)
    return error.exit_code
