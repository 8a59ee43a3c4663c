"""`avatar face`: looking at what a portrait can do."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from realtime_avatar.config import load_settings
from realtime_avatar.errors import InputError

app = typer.Typer(
    help="Look at what a portrait can do.", no_args_is_help=True, add_completion=False
)


@app.callback()
def root() -> None:
    """Look at what a portrait can do."""


@app.command()
def sheet(
    portrait: Annotated[Path | None, typer.Argument(help="Default: the bundled one.")] = None,
    out: Annotated[Path, typer.Option(help="PNG or JPEG to write.")] = Path("sheet.png"),
    part: Annotated[
        Literal["all", "mouth", "eyes"], typer.Option(help="What of each picture.")
    ] = "all",
    size: Annotated[int, typer.Option(min=128, max=1080, help="Side of a picture.")] = 512,
) -> None:
    """Write one picture of every sound, expression, blink and head turn."""
    from realtime_avatar.face import sheet as sheets
    from realtime_avatar.face.enrol import enrol
    from realtime_avatar.face.landmarks import FaceLandmarker
    from realtime_avatar.face.portrait import default_portrait, read_portrait
    from realtime_avatar.models.store import ModelStore

    settings = load_settings()
    store = ModelStore(settings.models, offline=settings.offline)
    landmarker = FaceLandmarker(store.path("face-landmarker") / "face_landmarker.task")
    side = size // 2 * 2
    rig, quality = enrol(landmarker, read_portrait(portrait or default_portrait()), (side, side))
    for remark in quality.remarks:
        typer.echo(remark)
    picture = sheets.draw(rig, part=part)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {out}: {error}") from error
    typer.echo(f"{out}")
