"""`avatar bench`: the project's bars, on this machine."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from realtime_avatar.cli.report import print_json, print_table, telling, working
from realtime_avatar.errors import ConfigError, InputError

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


@app.command()
def live(
    question: Annotated[
        list[Path] | None,
        typer.Option(help="Recording of a question, any number; by default bundled ones."),
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Turns of each conversation.")] = 20,
    sessions: Annotated[
        list[int] | None,
        typer.Option(min=1, max=16, help="Conversations at once; any number of figures."),
    ] = None,
    chat: Annotated[str, typer.Option(help="Chat engine, say scripted; else the settings'.")] = "",
    client: Annotated[
        Literal["light", "chromium"],
        typer.Option(help="Who listens and looks: a small WebRTC client, or a browser."),
    ] = "light",
    json: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this SVG file.")] = None,
) -> None:
    """Hold spoken conversations with a server on this machine; measure as a person would."""
    from functools import partial
    from json import dumps

    import anyio

    from realtime_avatar.bench.live import bench_live, bundled_questions
    from realtime_avatar.bench.live_plot import draw
    from realtime_avatar.config import load_settings

    talk = partial(
        bench_live,
        load_settings(),
        question or bundled_questions(),
        turns=turns,
        sessions=sessions or [1],
        chat=chat,
        client=client,
    )
    with telling() as say:
        report = anyio.run(partial(talk, say=say))
    if json:
        _write(json, dumps(report, ensure_ascii=False, indent=1) + "\n")
    if plot:
        _write(plot, draw(report))
    _print_live(report)


@app.command()
def chat(
    replies: Annotated[int, typer.Option(min=5, help="Of each way, in turn.")] = 200,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what the Gemini engine adds to its client, on a stand-in for Google's server."""
    import anyio

    from realtime_avatar.bench.chat import bench_chat

    with working("Asking", quiet=json):
        report = anyio.run(bench_chat, replies)
    if json:
        print_json(report)
        return
    rows = [
        [name, f"{spread['p50']:.2f}", f"{spread['p95']:.2f}"]
        for name, spread in report["first_token_ms"].items()
    ]
    print_table("First token, ms after the question", ["by", "p50", "p95"], rows)
    _print_bars(report)


@app.command()
def http(
    runs: Annotated[int, typer.Option(min=1, help="Questions, one after another.")] = 9,
    uploads: Annotated[
        int, typer.Option(min=0, max=1000, help="Recordings sent at once; 0: none.")
    ] = 200,
    chat: Annotated[str, typer.Option(help="Chat engine, say scripted; else the settings'.")] = "",
    json: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Ask a server on this machine as programs do; measure answers in pieces, and a crowd."""
    from functools import partial
    from json import dumps

    import anyio

    from realtime_avatar.bench.http import bench_http

    settings = {"AVATAR_CHAT": chat} if chat else {}
    with telling() as say:
        ask = partial(bench_http, runs, uploads, say, settings)
        report = anyio.run(ask)
    if json:
        _write(json, dumps(report, ensure_ascii=False, indent=1) + "\n")
    crowd = report.get("crowd", {})
    named = {
        "first piece that plays": report["first_piece"],
        "answer complete": report["complete"],
        "upload answered": crowd.get("took"),
        "/ready meanwhile": crowd.get("ready"),
    }
    rows = [_live_row(name, spread) for name, spread in named.items() if spread]
    print_table("ms after the request", ["", "p50", "p95", "p99", "worst", "of"], rows)
    if crowd:
        answers = ", ".join(f"{n} x {status}" for status, n in crowd["answered"].items())
        print(f"{crowd['uploads']} uploads: {answers}; {crowd['seconds']:.0f} s")
    _print_bars(report)


@app.command()
def memory(
    database: Annotated[
        str, typer.Option(help="Of its own, say postgresql://…; by default an SQLite file.")
    ] = "",
    turns: Annotated[int, typer.Option(min=1, help="Turns of each conversation.")] = 20,
    sessions: Annotated[int, typer.Option(min=1, max=16, help="Conversations at once.")] = 2,
) -> None:
    """Measure what keeping conversations costs, and whether the voice notices; prints JSON."""
    from functools import partial

    import anyio

    from realtime_avatar.bench.memory import bench_memory

    with telling() as say:
        report = anyio.run(partial(bench_memory, database, turns, sessions, say))
    print_json(report)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def _print_live(report: dict[str, Any]) -> None:
    title = f"{report['turns']} turns, {report['client']} client, {report['chat']} chat"
    for run in report["runs"]:
        spreads = run["stages"] | run["seconds"]
        rows = [_live_row(name, spread) for name, spread in spreads.items() if spread]
        print_table(
            f"{title}, {run['sessions']} at once; ms after the last sample of speech",
            ["stage", "p50", "p95", "p99", "worst", "of"],
            rows,
        )
        seen = run["pictures"]
        print(
            f"{seen['fps']:.2f} pictures a second, {seen['freezes']:.0f} freezes,"
            f" the longest picture {seen['longest'] * 1000:.0f} ms"
        )
        if run["server"]:
            most = max(memory for _, memory, _ in run["server"]) / 2**20
            print(f"the server held at most {most:.0f} MiB")
        failures = {what.replace("_", " "): n for what, n in run["failures"].items() if n}
        print(", ".join(f"{what}: {n}" for what, n in failures.items()) or "nothing failed")
    _print_bars(report)


def _print_bars(report: dict[str, Any]) -> None:
    about = report["machine"]
    rows = [
        [
            bar["what"],
            "none" if bar["value"] is None else f"{bar['value']:.3g}",
            f"<= {bar['most']:g}" if bar["most"] is not None else f">= {bar['least']:g}",
            "yes" if bar["met"] else "NO",
        ]
        for bar in report["bars"]
    ]
    print_table(
        f"{about['cores']} cores of {about['cpu']}, load {about['load']:.1f} before",
        ["bar", "measured", "asked", "met"],
        rows,
    )


def _live_row(name: str, spread: dict[str, float]) -> list[str]:
    times = [f"{spread[key] * 1000:.0f}" for key in _SPREAD]
    return [_FIGURES.get(name, name), *times, str(spread["count"])]


_SPREAD = ("p50", "p95", "p99", "worst")
_FIGURES = {
    "end_of_turn": "end of turn",
    "delivery": "from playout to ear",
    "sound": "first sound heard",
    "mouth": "mouth seen to move",
    "silence": "interruption to silence",
    "halt": "silent in the midst of an answer",
    "skew": "voice and picture apart",
}
