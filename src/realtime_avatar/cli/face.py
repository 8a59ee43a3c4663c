"""`avatar face`: looking at what a portrait can do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from realtime_avatar.cli.report import working
from realtime_avatar.config import load_settings
from realtime_avatar.errors import InputError

if TYPE_CHECKING:
    from realtime_avatar.face.rig import PhotoRig

app = typer.Typer(
    help="Look at what a portrait can do.", no_args_is_help=True, add_completion=False
)

Size = Annotated[
    int | None,
    typer.Option(
        min=128, max=1080,
        help="Cut out head and shoulders, a square of so many pixels; by default a portrait"
        " keeps its shape.",
    ),
]  # fmt: skip


@app.callback()
def root() -> None:
    """Look at what a portrait can do."""


@app.command()
def sheet(
    portrait: Annotated[
        Path | None, typer.Argument(help="Picture or .rig file. Default: the bundled one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="PNG or JPEG to write.")] = Path("sheet.png"),
    part: Annotated[
        Literal["all", "mouth", "eyes"], typer.Option(help="What of each picture.")
    ] = "all",
    size: Annotated[int, typer.Option(min=128, max=1080, help="Side of a picture.")] = 512,
) -> None:
    """Write one picture of every sound, expression, blink and head turn."""
    from realtime_avatar.face import sheet as sheets
    from realtime_avatar.face.portrait import default_portrait

    rig = open_rig([portrait or default_portrait()], size)
    picture = sheets.draw(rig, part=part)
    try:
        picture.save(out)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {out}: {error}") from error
    typer.echo(f"{out}")


@app.command()
def film(
    portrait: Annotated[Path, typer.Argument(help="Picture or .rig file.")],
    audio: Annotated[Path, typer.Argument(help="What it says: any file with sound in it.")],
    out: Annotated[
        Path | None, typer.Option(help="MP4, or WebM for transparency; default: film.mp4.")
    ] = None,
    size: Size = None,
    fps: Annotated[int, typer.Option(help="Pictures a second: 25, 30 or 50.")] = 25,
    background: Annotated[
        str | None,
        typer.Option(help="A picture, a colour (#20507c, teal), blur or transparent."),
    ] = None,
    curves: Annotated[bool, typer.Option(help="Draw the motion below the film.")] = True,
) -> None:
    """Write a film of a portrait that says a recording, with what moves drawn below it."""
    from realtime_avatar.face.film import clear_film, film_shots
    from realtime_avatar.media.mp4 import Format, Mp4Writer
    from realtime_avatar.media.picture import size as size_of
    from realtime_avatar.media.read import read_audio
    from realtime_avatar.media.webm import write_webm

    if fps not in (25, 30, 50):
        raise InputError(f"25, 30 or 50 pictures a second, not {fps}")
    clear = background == "transparent"
    out = out or Path("film.webm" if clear else "film.mp4")
    if clear != (out.suffix.lower() == ".webm"):
        raise InputError("a transparent film is a .webm file, and only that is one")
    speech = read_audio(audio, rate=48_000, max_seconds=600)
    rig = open_rig([portrait], size)
    with working("Filming"):
        if clear:
            write_webm(out, clear_film(rig, speech, fps), speech, fps)
        else:
            writer: Mp4Writer | None = None
            try:
                for shot in film_shots(rig, speech, fps, _behind(rig, background), curves=curves):
                    if writer is None and shot.frame is not None:
                        height, width = size_of(shot.frame)
                        writer = Mp4Writer(out, Format(width, height, fps, speech.rate))
                    if writer is not None:
                        writer.write(shot)
            except BaseException:
                if writer is not None:
                    writer.discard()
                raise
            if writer is not None:
                writer.close()
    typer.echo(f"{out}")


def open_rig(portraits: list[Path], size: int | None) -> "PhotoRig":
    """Return a portrait, or several of one person, ready to move; tell what could be better.

    Args:
        portraits: Pictures, the main one first; or one .rig file.
        size: Side of a square, pixels, or None to keep the portrait's shape.
    """
    from realtime_avatar.face.enrol import enrol
    from realtime_avatar.face.landmarks import FaceLandmarker
    from realtime_avatar.face.portrait import read_portrait
    from realtime_avatar.face.rigfile import SUFFIX, load_rig
    from realtime_avatar.models.store import ModelStore

    if portraits[0].suffix.lower() == SUFFIX:
        return load_rig(portraits[0])
    settings = load_settings()
    store = ModelStore(settings.models, offline=settings.offline)
    landmarker = FaceLandmarker(store.path("face-landmarker") / "face_landmarker.task")
    main, *others = [read_portrait(portrait) for portrait in portraits]
    side = size // 2 * 2 if size else None
    rig, quality = enrol(landmarker, main, (side, side) if side else None, others)
    for remark in quality.remarks:
        typer.echo(remark, err=True)
    return rig


def _behind(rig: "PhotoRig", background: str | None) -> Any:
    """Return the background that is asked for, or None for the portrait's own."""
    from realtime_avatar.face import background as backgrounds
    from realtime_avatar.face.portrait import read_portrait

    if background is None:
        return None
    if rig.plate is None:
        raise InputError("the person could not be told from this portrait's background")
    if background == "blur":
        return backgrounds.blurred(rig)
    path = Path(background)
    if path.is_file():
        return backgrounds.picture(rig, read_portrait(path))
    return backgrounds.colour(rig, background)
