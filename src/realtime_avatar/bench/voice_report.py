"""A voice evaluation for people, and against the one before."""

from pathlib import Path
from typing import Any, Final

from realtime_avatar.errors import InputError

Report = dict[str, Any]

_WORSE: Final = {"error": 0.02, "factor": 0.15, "first_audio": 0.2, "judged_by": 0.04}
"""By how much a figure may be worse than the baseline's: shares, ratios, seconds, cosines."""


def check_comparable(plan: Report, baseline: Report) -> None:
    """Return if an evaluation will measure what an earlier one did.

    Args:
        plan: `sentences`, `seed` and `refined`.
        baseline: The earlier one.

    Raises:
        InputError: if it is none, or measured something else.
    """
    if not {"machine", "stock", "learned"} <= set(baseline):
        raise InputError("the baseline is no evaluation of voices")
    for key, value in plan.items():
        if baseline.get(key) != value:
            raise InputError(
                f"the baseline has {key} = {baseline.get(key)}, and this would have {value}"
            )


def regressions(report: Report, baseline: Report) -> list[str]:
    """Return a sentence for each figure that is worse than the baseline's by more than noise.

    A voice that the baseline has and the report has not is one, too. Times are compared only
    with those of the same processor.
    """
    found: list[str] = []
    elsewhere = any(report["machine"][key] != baseline["machine"][key] for key in ("cpu", "cores"))
    for name, (value, before, key) in _pairs(report, baseline).items():
        if elsewhere and key in ("factor", "first_audio"):
            continue
        if value is None:
            found.append(f"{name} was not measured")
            continue
        worse = before - value if key == "judged_by" else value - before
        if worse > _WORSE[key]:
            found.append(f"{name} was {before:g}, and is {value:g}")
    return found


def markdown(report: Report, pictures: Path | None = None) -> str:
    """Return the report as Markdown.

    Args:
        report: Of `bench.voice.evaluate`.
        pictures: Folder of the spectrograms, relative to where the text will be.
    """
    machine = report["machine"]
    lines = [
        "# Voices",
        "",
        f"{machine['cpu']}, {machine['cores']} cores; {report['sentences']} sentences each"
        f" (of the gold set, by seed {report.get('seed', 0)}).",
        "",
        "| voice | error | real-time factor | first sound, s | pitch, Hz | span, semitones |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(name, voice) for name, voice in report["stock"].items()]
    for name, person in report["learned"].items():
        lines += [
            _row(f"{name} {language}", voice) for language, voice in person["languages"].items()
        ]
    lines += [
        "",
        "Likeness is a cosine of speaker embeddings: `fitted` by the encoder that the voice was"
        " fitted with, `judged` by another. `others` is the most alike of the other recordings.",
        "",
        "| voice | fitted | judged | others | best stock voice | it, judged | sample's pitch, Hz |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for name, person in report["learned"].items():
        others = [value for other, value in person["judged_by"].items() if other != name]
        stock = person["best_stock"]
        lines.append(
            f"| {name}{'' if person['refined'] else ' (guess)'} | {person['fitted_with'][name]:.2f}"
            f" | {person['judged_by'][name]:.2f} | {max(others, default=0):.2f} | {stock['name']}"
            f" | {stock['judged_by']:.2f} | {person['pitch']['sample']['median']:.0f} |"
        )
    lines += ["", "| bar | measured | asked | met |", "|---|---:|---:|---|"]
    for bar in report["bars"]:
        asked = f"≥ {bar['least']:g}" if bar["least"] is not None else f"≤ {bar['most']:g}"
        met = "yes" if bar["met"] else "**no**"
        lines.append(f"| {bar['what']} | {bar['value']:.3f} | {asked} | {met} |")
    if pictures is not None:
        for name in report["learned"]:
            lines += ["", f"## {name}", ""]
            lines += [
                f"![{name}, {what}]({(pictures / f'{name}-{what}.png').as_posix()})"
                for what in ("sample", "voice")
            ]
    return "\n".join(lines) + "\n"


def _row(name: str, voice: Report) -> str:
    return (
        f"| {name} | {voice['error']:.1%} | {voice['factor']:.2f} | {voice['first_audio']:.2f}"
        f" | {voice['pitch']['median']:.0f} | {voice['pitch']['span']:.1f} |"
    )


def _pairs(report: Report, baseline: Report) -> dict[str, tuple[float | None, float, str]]:
    """Return each figure of the baseline with the report's: name -> (now, before, kind)."""
    pairs: dict[str, tuple[float | None, float, str]] = {}

    def take(name: str, now: Report | None, before: Report) -> None:
        for key in ("error", "factor", "first_audio"):
            value = None if now is None else float(now[key])
            pairs[f"{key} of {name}"] = value, float(before[key]), key

    for name, before in baseline["stock"].items():
        take(name, report["stock"].get(name), before)
    for name, before in baseline["learned"].items():
        now = report["learned"].get(name)
        for language, voice in before["languages"].items():
            take(f"{name} {language}", now and now["languages"].get(language), voice)
        value = None if now is None else float(now["judged_by"][name])
        pairs[f"likeness of {name}"] = value, float(before["judged_by"][name]), "judged_by"
    return pairs
