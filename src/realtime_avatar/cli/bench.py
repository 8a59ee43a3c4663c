"""`avatar bench`: the project's bars, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from realtime_avatar.cli.report import print_json, print_table, working
from realtime_avatar.errors import ConfigError

app = typer.Typer(help="Measure the product on this machine.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the product on this machine."""


@app.command()
def offline(
    only: Annotated[
        list[str] | None,
        typer.Option(help="A section: recognizer, voices, face, answers, heard_back or disk."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Repetitions; medians are taken.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
) -> None:
    """Measure each stage and the whole job on the bundled recordings, without a network."""
    from json import dumps

    from realtime_avatar.bench.offline import SECTIONS, bench_offline

    for section in only or []:
        if section not in SECTIONS:
            raise ConfigError(f"there is no section {section!r}; there are: {', '.join(SECTIONS)}")
    with working("Measuring", quiet=json):
        report = bench_offline(only or SECTIONS, runs)
    if out:
        out.write_text(dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if json:
        print_json(report)
        return
    about = report["machine"]
    rows = [
        [bar["what"], f"{bar['value']:.3g}", f"{bar['limit']:g}", "yes" if bar["met"] else "NO"]
        for bar in report["bars"]
    ]
    print_table(
        f"{about['cores']} cores of {about['cpu']}, load {about['load']:.1f} before",
        ["bar", "measured", "at most", "met"],
        rows,
    )
    for name, number in about["versions"].items():
        print(f"{name} {number}", end="  ")
    print()
