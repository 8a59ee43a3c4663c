"""The figures of a live benchmark as a picture: an SVG file, drawn by hand."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

_WIDTH: Final = 960
_LEFT: Final = 150  # of the diagrams
_RIGHT: Final = _WIDTH - 90
_CURVES: Final = (64, 300)  # top and bottom of the curves
_ROW: Final = 13  # height of one bar
_COLOURS: Final = ("#2563a8", "#c2571a", "#3b7d3b", "#7a4fa3")
_ROWS: Final = (
    ("stages", "recognizer", "words heard"),
    ("stages", "end_of_turn", "end of turn"),
    ("stages", "chat", "first word"),
    ("stages", "voice", "first speech"),
    ("stages", "face", "first picture"),
    ("stages", "playout", "sent"),
    ("seconds", "sound", "sound heard"),
    ("seconds", "mouth", "mouth seen"),
    ("seconds", "silence", "interruption"),
)
_STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #333; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #777; }
.paper { fill: #fff; }
.grid { stroke: #ddd; }
.asked { stroke: #999; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd; } .quiet { fill: #999; } .paper { fill: #17181a; } .grid { stroke: #333; }
}
"""


def draw(report: dict[str, Any]) -> str:
    """Return a report of `bench_live` as SVG.

    Above, how many of the turns had been answered after which time; below, when each
    stage had its first result: a bar to the median, a line to p95.
    """
    runs: list[dict[str, Any]] = report["runs"]
    longest = _longest(runs)
    top = _CURVES[1] + 64
    rows = [row for row in _ROWS if any(run[row[0]][row[1]] for run in runs)]
    step = _ROW * len(runs) + 10
    height = top + step * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(_title(report))}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        _text(_LEFT, 28, _title(report), "title"),
        _text(_LEFT, 46, "share of turns in which the answer had begun to be heard", "quiet"),
        *_grid(longest, _CURVES[0], _CURVES[1]),
        *_limits(report, longest),
        *_curves(runs, longest),
        _text(_LEFT, top - 16, "first result of each stage: median and p95", "quiet"),
        *_grid(longest, top, top + step * len(rows)),
    ]
    for row, (where, name, label) in enumerate(rows):
        y = top + row * step + 5
        parts.append(_text(_LEFT - 10, y + (step - 10) / 2 + 4, label, end=True))
        for index, run in enumerate(runs):
            if spread := run[where][name]:
                parts += _bar(y + index * _ROW, spread, longest, _COLOURS[index % len(_COLOURS)])
    return "\n".join([*parts, "</svg>", ""])


def _title(report: dict[str, Any]) -> str:
    about = report["machine"]
    return (
        f"Seconds after the last sample of speech: {report['chat']} chat,"
        f" {report['client']} client, {about['cores']} cores"
    )


def _longest(runs: Sequence[dict[str, Any]]) -> float:
    """Return where the axis ends: a whole half second after all of the p95."""
    worst = [
        spread["p95"]
        for run in runs
        for where, name, _ in _ROWS
        if (spread := run[where][name]) is not None
    ]
    return (int(max(worst, default=1.0) * 2) + 1) / 2


def _x(seconds: float, longest: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * min(seconds, longest) / longest


def _grid(longest: float, top: float, bottom: float) -> list[str]:
    step = 0.1 if longest <= 1 else 0.25 if longest <= 3 else 1.0
    parts: list[str] = []
    for number in range(round(longest / step) + 1):
        x = _x(number * step, longest)
        parts.append(_line(x, top, x, bottom, "grid"))
        parts.append(_text(x, bottom + 16, f"{number * step:g}", "quiet", middle=True))
    return parts


def _limits(report: dict[str, Any], longest: float) -> list[str]:
    parts: list[str] = []
    for bar in report["bars"]:
        if "first sound" in bar["what"] and bar["most"] <= longest:
            x = _x(bar["most"], longest)
            parts.append(_line(x, _CURVES[0], x, _CURVES[1], "asked"))
            share = bar["what"].rpartition(" ")[2]
            parts.append(_text(x, _CURVES[0] - 4, f"{share} asked", "quiet", middle=True))
    return parts


def _curves(runs: Sequence[dict[str, Any]], longest: float) -> list[str]:
    top, bottom = _CURVES
    parts: list[str] = []
    for share in (0.0, 0.5, 0.95):
        y = bottom - (bottom - top) * share
        parts.append(_line(_LEFT, y, _RIGHT, y, "grid"))
        parts.append(_text(_LEFT - 10, y + 4, f"{share:.0%}", "quiet", end=True))
    for index, run in enumerate(runs):
        colour = _COLOURS[index % len(_COLOURS)]
        heard = sorted(turn["sound"] for turn in run["turns"] if turn["sound"] is not None)
        points = [(_x(0, longest), float(bottom))]
        for number, seconds in enumerate(heard, 1):
            x = _x(seconds, longest)
            points.append((x, points[-1][1]))
            points.append((x, bottom - (bottom - top) * number / len(run["turns"])))
        points.append((_x(longest, longest), points[-1][1]))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        count = run["sessions"]
        label = "one conversation" if count == 1 else f"{count} at once"
        y = bottom - 12 - (len(runs) - 1 - index) * 18
        parts.append(_line(_RIGHT - 140, y - 4, _RIGHT - 116, y - 4, "", colour))
        parts.append(_text(_RIGHT - 108, y, label))
    return parts


def _bar(y: float, spread: dict[str, float], longest: float, colour: str) -> list[str]:
    middle, late = _x(spread["p50"], longest), _x(spread["p95"], longest)
    half = y + (_ROW - 3) / 2
    return [
        f'<rect x="{_LEFT}" y="{y:.1f}" width="{middle - _LEFT:.1f}" height="{_ROW - 3}"'
        f' fill="{colour}" rx="2"/>',
        _line(middle, half, late, half, "", colour),
        _text(late + 5, y + _ROW - 3, f"{spread['p50']:.2f}  {spread['p95']:.2f}", "quiet"),
    ]


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, colour: str = "") -> str:
    paint = f'class="{kind}"' if kind else f'stroke="{colour}" stroke-width="2"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {paint}/>'


def _text(
    x: float, y: float, text: str, kind: str = "", *, end: bool = False, middle: bool = False
) -> str:
    anchor = "end" if end else "middle" if middle else "start"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
    )
