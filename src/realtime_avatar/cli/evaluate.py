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


@app.command()
def voice(
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder of WAV files, one speaker each, with a .txt of what is said."),
    ] = None,
    sentences: Annotated[
        int, typer.Option(min=1, max=40, help="Of the gold set that each voice speaks.")
    ] = 40,
    seed: Annotated[int, typer.Option(help="Which of them, if not all 40.")] = 0,
    refine: Annotated[
        bool, typer.Option(help="Learn voices in full, two minutes each, or only guess them.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report in Markdown, with spectrograms beside it.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="JSON of an earlier run; being worse is exit code 1.")
    ] = None,
) -> None:
    """Hear the voices back, learn a voice from each recording, and measure how alike it is."""
    from functools import partial
    from json import dumps, loads

    import anyio

    from realtime_avatar.bench import voice_report
    from realtime_avatar.bench.voice import evaluate
    from realtime_avatar.config import load_settings

    if samples and not samples.is_dir():
        raise InputError(f"there is no folder {samples}")
    try:
        before = loads(baseline.read_text("utf-8")) if baseline else None
    except (OSError, ValueError) as error:
        raise InputError(f"{baseline} is no earlier evaluation: {error}") from error
    if before is not None:
        plan = {"sentences": sentences, "seed": seed, "refined": refine}
        voice_report.check_comparable(plan, before)
    if report and not report.suffix:
        report = report.with_suffix(".md")
    pictures = report.with_suffix("") if report else None
    for file in (out, report):  # before three quarters of an hour are lost
        if file and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise InputError(f"{file} cannot be written: it is a folder, or is in none")
    try:
        if pictures:
            pictures.mkdir(exist_ok=True)
        with working("Measuring", quiet=json):
            found = anyio.run(
                partial(
                    evaluate, load_settings(), samples,
                    sentences=sentences, refine=refine, pictures=pictures, seed=seed,
                )
            )  # fmt: skip
        text = voice_report.markdown(found, Path(pictures.name) if pictures else None)
        if json:
            print_json(found)
        else:
            print(text)
        if out:
            out.write_text(dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
        if report:
            report.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write the report: {error.strerror}") from error
    worse = voice_report.regressions(found, before) if before else []
    for words in worse:
        typer.echo(words, err=True)
    if worse:
        raise typer.Exit(1)
