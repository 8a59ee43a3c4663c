"""`avatar bench offline`: every stage and the whole job, against the bars."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from realtime_avatar.bench.machine import machine
from realtime_avatar.errors import EngineError

SECTIONS = ("recognizer", "voices", "face", "answers", "heard_back", "disk")
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Bar:
    """What was asked for, and what was measured.

    Attributes:
        section: Where its figure comes from.
        what: In words, with the unit.
        limit: The most that it may be.
        value: Measured; None where its section was not run.
    """

    section: str
    what: str
    limit: float
    value: float | None = None

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


_ANSWERS = {"en": "English", "zh": "Chinese", "es": "Spanish"}
_BARS: list[tuple[Bar, Callable[[Any], float]]] = [
    (Bar("recognizer", "recogniser, real-time factor on 11 s", 0.15), lambda r: r["factor"]),
    (Bar("recognizer", "recogniser, wrong words on three clips", 1), lambda r: r["wrong"]),
    (Bar("voices", "English voice, real-time factor", 0.05), lambda r: r["hibari en"]["factor"]),
    (
        Bar("voices", "English voice, first audio, ms", 60),
        lambda r: r["hibari en"]["first_audio"] * 1000,
    ),
    *(
        (
            Bar("voices", f"Kokoro, real-time factor, {language}", 0.5),
            lambda r, language=language: r[f"kokoro {language}"]["factor"],
        )
        for language in _ANSWERS
    ),
    (Bar("face", "face on one core, ms a frame at 512x512", 12), lambda r: r["512"]["ms"]),
    *(
        (
            Bar("answers", f"answer in {name}, finished after, of its duration", 1.2),
            lambda r, language=language: r[language]["ratio"],
        )
        for language, name in _ANSWERS.items()
    ),
    *(
        (
            Bar("answers", f"first picture, {name}, s", 1.5),
            lambda r, language=language: r[language]["first_picture"],
        )
        for language, name in _ANSWERS.items()
    ),
    (Bar("answers", "peak memory, GiB", 4), lambda r: r["memory"] / GIB),
    *(
        (
            Bar("heard_back", f"voice heard back, error, {language}", 0.05),
            lambda r, language=language: r[language]["rate"],
        )
        for language in _ANSWERS
    ),
    (
        Bar("disk", "environment and models, GiB", 4),
        lambda r: (r["environment"] + sum(r["models"].values())) / GIB,
    ),
]


def bench_offline(sections: Sequence[str] = SECTIONS, runs: int = 3) -> dict[str, Any]:
    """Run the sections one after another, each in a process of its own.

    Args:
        sections: Which of `SECTIONS`.
        runs: How many times each measurement is repeated; medians are taken.

    Returns:
        The machine, each section's figures, and the bars with what was measured.

    Raises:
        EngineError: if a section fails; its last words are in the message.
    """
    figures = {section: _run(section, runs) for section in sections}
    bars = [
        Bar(bar.section, bar.what, bar.limit, float(value(figures[bar.section])))
        for bar, value in _BARS
        if bar.section in figures
    ]
    return {
        "machine": machine(),
        "runs": runs,
        "bars": [asdict(bar) | {"met": bar.met} for bar in bars],
        "figures": figures,
    }


def _run(section: str, runs: int) -> Any:
    command = [sys.executable, "-m", "realtime_avatar.bench.worker", section, str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it died"])[-1]
        raise EngineError(f"bench {section}", last)
    return json.loads(done.stdout)
