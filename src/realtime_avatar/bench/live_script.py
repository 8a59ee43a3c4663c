"""Everything that somebody says in a conversation, as one recording.

A browser's stand-in for a microphone plays a file from its beginning, whatever happens. So
the questions stand in it at fixed times, and where each was spoken is found again in what
the page heard of its own microphone.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_question import HOP, RATE, levels, read_question, with_room
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.read import write_wav

LEAD: Final = 15.0
"""Seconds until the first question: for browser, call and face to be there."""

SLOT: Final = 12.0
"""Seconds from a question's end to the next one, which an answer should fit into."""

OVER: Final = 3.5
"""The same if the next one is spoken over the answer."""

_STEP = HOP / RATE
_AROUND = 0.1  # seconds of silence looked at before and after a line
_REACH = 100  # steps around the usual delay in which each line is looked for
_ALIKE = 0.6  # correlation below which it is not the line


@dataclass(frozen=True, slots=True)
class Line:
    """One question in the script. `first`, `last`: its samples of speech, seconds."""

    question: str
    first: float
    last: float
    counted: bool


@dataclass(frozen=True, slots=True)
class Script:
    """What is said, 48 kHz mono int16, and when."""

    pcm: NDArray[np.int16]
    lines: tuple[Line, ...]

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    def write(self, path: Path) -> None:
        """Write it as a WAV file."""
        write_wav(Audio(self.pcm, RATE, 0), path)


def script(plan: Plan) -> Script:
    """Lay out the questions of a plan."""
    questions = [read_question(Path(path)) for path in plan.questions]
    lines: list[Line] = []
    parts: list[NDArray[np.int16]] = [np.zeros(round(LEAD * RATE), np.int16)]
    at = len(parts[0])
    for number in range(plan.warm + plan.turns):
        question = questions[number % len(questions)]
        first, last = (at + question.first) / RATE, (at + question.last) / RATE
        lines.append(Line(question.name, first, last, number >= plan.warm))
        wait = OVER if plan.interrupts(number + 1) else SLOT
        rest = np.zeros(round((last + wait) * RATE) - at - len(question.pcm), np.int16)
        parts += [question.pcm, rest]
        at += len(question.pcm) + len(rest)
    return Script(with_room(np.concatenate(parts), plan.seed).pcm, tuple(lines))


def find_lines(played: Script, heard: NDArray[np.float32]) -> list[float]:
    """Return by how much later than in the script each line was heard, seconds.

    A line in which too much sound got lost to be found counts as late as lines usually are.

    Args:
        played: What the microphone played.
        heard: RMS levels of what was heard of it, each after 5 ms of the page's clock: where
            sound got lost they stand for longer.

    Raises:
        EngineError: if it is not what was heard.
    """
    known, found = np.sqrt(levels(played.pcm)), np.sqrt(heard)
    size = 1 << (len(known) + len(found)).bit_length()
    spectrum = np.fft.rfft(found - found.mean(), size)
    spectrum *= np.conj(np.fft.rfft(known - known.mean(), size))
    lag = int(np.fft.irfft(spectrum, size).argmax())
    lag -= size if lag > size // 2 else 0
    late: list[float | None] = []
    for line in played.lines:
        first = max(0, round((line.first - _AROUND) / _STEP))
        model = known[first : round((line.last + _AROUND) / _STEP)]
        lags = [at for at in range(lag - _REACH, lag + _REACH + 1) if first + at >= 0]
        scores = [_alike(model, found[first + at : first + at + len(model)]) for at in lags]
        best = int(np.argmax(scores))
        late.append(lags[best] * _STEP if scores[best] >= _ALIKE else None)
    sure = [seconds for seconds in late if seconds is not None]
    if len(sure) * 2 < len(late):
        raise EngineError("bench", "the microphone did not hear what was played to it")
    return [median(sure) if seconds is None else seconds for seconds in late]


def _alike(model: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if len(other) < len(model) or other.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(model, other)[0, 1])
