"""What is asked of a live conversation with one person, on two cores."""

from collections.abc import Callable, Sequence
from typing import Any

from realtime_avatar.bench.bar import Bar
from realtime_avatar.bench.live_turns import FREEZE


def bars(runs: Sequence[dict[str, Any]], client: str, chat: str) -> list[Bar]:
    """Return the bars that these runs can be held against.

    Args:
        runs: As `bench_live` reports them; only one with a single session counts.
        client: What measured them.
        chat: The chat engine.
    """
    run = next((run for run in runs if run["sessions"] == 1), None)
    if run is None:
        return []
    figure = _reader(run)
    sound = "end of speech to first sound, s"
    if chat == "scripted":
        limits = [Bar(f"{sound}, p50", figure("sound", "p50"), most=0.6)]
    else:
        p50, p95 = (1.5, 2.2) if client == "chromium" else (1.1, 1.7)
        limits = [
            Bar(f"{sound}, p50", figure("sound", "p50"), most=p50),
            Bar(f"{sound}, p95", figure("sound", "p95"), most=p95),
        ]
    seen = run["pictures"]
    return [
        *limits,
        Bar("voice and picture apart, ms, p95", _ms(figure("skew", "p95")), most=40),
        Bar("pictures a second", seen["fps"], least=24.9),
        Bar(f"freezes over {FREEZE * 1000:.0f} ms", seen["freezes"], most=0),
        Bar("interruption to silence, ms, p95", _ms(figure("silence", "p95")), most=250),
        Bar("questions without an answer", run["failures"]["unanswered"], most=0),
    ]


def _reader(run: dict[str, Any]) -> Callable[[str, str], float | None]:
    def figure(name: str, which: str) -> float | None:
        spread = run["seconds"][name]
        return spread and spread[which]

    return figure


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
