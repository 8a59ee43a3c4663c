"""`avatar eval`: how good it is, in figures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from realtime_avatar.cli.report import print_json, print_table, working
from realtime_avatar.errors import InputError

app = typer.Typer(help="Measure how good the product is.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Measure how good the product is."""


@app.command()
def face(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of recordings: speech.flac and blendshapes.npz."),
    ] = None,
    portrait: Annotated[
        list[Path] | None, typer.Option(help="To measure; by default the bundled ones.")
    ] = None,
    clips: Annotated[
        int, typer.Option(min=1, max=90, help="Recordings that each portrait is driven with.")
    ] = 24,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
) -> None:
    """Drive the avatar with recordings, look at it as one looks at people, and compare."""
    from json import dumps

    from realtime_avatar.bench.face import bundled_portraits, evaluate

    for path in [data, *(portrait or [])]:
        if path and not path.exists():
            raise InputError(f"there is no {path}")
    with working("Measuring", quiet=json):
        report = evaluate(data, portrait or bundled_portraits(), clips=clips)
    if out:
        try:
            out.write_text(dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except OSError as error:
            raise InputError(f"cannot write {out}: {error.strerror}") from error
    if json:
        print_json(report)
        return
    _print(report)


def _print(report: dict[str, Any]) -> None:
    rows = [
        [name, *(f"{voice[key]:.2f}" if key in voice else "" for key in _VOICE)]
        for name, voice in report["voices"].items()
    ]
    print_table("Voices", ["voice", "jaw, mean", "sd", "m b p, sound", "told"], rows)
    print_table(
        "Portraits: r of jaw, lower lip and pucker as seen; clips in step; m b p closed; distance"
        " of the face, median and 95%; ms a frame at 512 and 1024; enrolment",
        ["", "jaw", "lip", "puck", "step", "mbp", "id", "95%", "512", "1024", "s"],
        [[name, *_row(portrait)] for name, portrait in report["portraits"].items()],
    )
    print_table(
        "Bars",
        ["bar", "measured", "asked", "met"],
        [
            [
                bar["what"],
                f"{bar['value']:.3f}",
                f">= {bar['least']:g}" if bar["least"] is not None else f"<= {bar['most']:g}",
                "yes" if bar["met"] else "NO",
            ]
            for bar in report["bars"]
        ],
    )
    for what in report["missing"]:
        print(f"not measured: {what}")


_VOICE = ("mean", "sd", "alone", "told")


def _row(portrait: dict[str, Any]) -> list[str]:
    seen, apart = portrait.get("by_sound"), portrait.get("identity")
    closures, cost = portrait.get("closures"), portrait["cost"]
    return [
        *(f"{seen['units'][name]['r']:.2f}" if seen else "" for name in _SEEN),
        f"{seen['in_step']:.0%}" if seen else "",
        f"{closures['closed']:.0%}" if closures else "",
        *(f"{apart[key]:.2f}" if apart else "" for key in ("median", "p95")),
        f"{cost['512']['frame']:.1f}",
        f"{cost['1024']['frame']:.1f}",
        f"{cost['512']['enrolment']:.1f}",
    ]


_SEEN = ("jawOpen", "lower lip", "pucker")
