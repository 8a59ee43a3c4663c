"""`avatar enrol`: a person's portraits, made ready once and for all."""

from pathlib import Path
from typing import Annotated

import typer

from realtime_avatar.cli.face import Size, open_rig
from realtime_avatar.cli.report import working
from realtime_avatar.errors import InputError

app = typer.Typer(help="Make a person ready to be shown.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Make a person ready to be shown."""


@app.command()
def face(
    portraits: Annotated[
        list[Path],
        typer.Argument(help="Of one person, the best first; one that smiles lends its teeth."),
    ],
    out: Annotated[Path | None, typer.Option(help="The file; default: NAME.rig.")] = None,
    size: Size = None,
) -> None:
    """Write one file from which the avatar can be shown without its portraits."""
    from realtime_avatar.face.rigfile import SUFFIX, save_rig

    out = out or Path(portraits[0].with_suffix(SUFFIX).name)
    if out.suffix.lower() != SUFFIX:
        raise InputError(f"an avatar's file ends in {SUFFIX}: {out}")
    with working("Enrolling"):
        rig = open_rig(portraits, size)
        save_rig(rig, out)
    typer.echo(f"{out}: {rig.width}x{rig.height} pixels")
