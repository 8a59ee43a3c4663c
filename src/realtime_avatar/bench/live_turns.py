"""What a live conversation was like, turn by turn, from what its client perceived.

The clock of every figure starts at the last sample of the question that is speech, found in
the recording's waveform, and stops when something is heard or seen in the client.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.bench.live_recording import Asked, Recording
from realtime_avatar.bench.live_skew import AUDIBLE, STEP

FREEZE: Final = 0.2
"""Seconds after which a picture that is still shown counts as frozen."""

HALT: Final = 0.7
"""Seconds of silence within an answer that are no pause between sentences: the voice has halted."""

_OPEN, _MOVED = 0.03, 0.005  # opening of the lips in speech, and when they begin, eyes
_ANTICIPATION = 1.0  # seconds around the first sound in which the lips may begin to move
_SILENT = 0.1  # seconds before a sound that begins


@dataclass(slots=True)
class Heard:
    """One turn.

    Attributes:
        question: Name of the recording.
        over: Whether it interrupted the avatar.
        text: What was understood.
        reply: What the avatar wanted to say.
        language: ISO 639-1.
        sound: Seconds to the first sound that was heard; None if there was none.
        mouth: Seconds to the first movement of the mouth that was seen; None if unseen.
        silence: Seconds from the first speech of an interruption to the last sound heard;
            None unless it interrupted, or if the avatar talked on.
        early: Whether the avatar had begun to answer before the question was over.
        stages: As the session's `timings` say, whose clock starts where its detector hears
            the end of speech.
        began: When the first sound was heard, the client's clock.
        ended: When the last one was.
        halts: Silences within the answer that are longer than `HALT`, seconds.
        skews: Of its phrases, seconds.
        lost: Phrases whose skew could not be measured.
    """

    question: str
    over: bool
    text: str = ""
    reply: str = ""
    language: str = ""
    sound: float | None = None
    mouth: float | None = None
    silence: float | None = None
    early: bool = False
    stages: dict[str, float] = field(default_factory=dict[str, float])
    began: float = 0.0
    ended: float = 0.0
    halts: list[float] = field(default_factory=list[float])
    skews: list[float] = field(default_factory=list[float])
    lost: int = 0

    def report(self) -> dict[str, Any]:
        return asdict(self)


def turns(recording: Recording, mouth: NDArray[np.float32] | None = None) -> list[Heard]:
    """Return the turns that count.

    Args:
        recording: What a client perceived.
        mouth: Opening between the lips in each of its pictures, if they were looked at.
    """
    asked = recording.asked
    ends = [after.first for after in asked[1:]] + [float("inf")]
    return [
        _turn(recording, mouth, question, end)
        for question, end in zip(asked, ends, strict=True)
        if question.counted
    ]


def _turn(
    recording: Recording, mouth: NDArray[np.float32] | None, asked: Asked, end: float
) -> Heard:
    turn = Heard(asked.question, asked.over)
    times = recording.sound_at[recording.sound > AUDIBLE]
    during = times[(times > asked.first) & (times < asked.last)]
    if asked.over:
        talked_on = bool(len(during)) and during[-1] > asked.last - _SILENT
        turn.silence = None if talked_on else float(max([0.0, *(during[-1:] + STEP - asked.first)]))
    else:
        turn.early = bool(len(during))
    _understand(turn, recording, asked.last, end)
    after = times[(times >= asked.last) & (times < end)]
    if not len(after) or (len(during) and after[0] - during[-1] < _SILENT):
        return turn
    turn.began, turn.ended = float(after[0]), float(after[-1]) + STEP
    turn.sound = turn.began - asked.last
    turn.halts = [float(gap) for gap in np.diff(after) if gap > HALT]
    if mouth is not None:
        moved = _first_movement(recording, mouth, asked.last, turn.began)
        turn.mouth = None if moved is None else moved - asked.last
    return turn


def _understand(turn: Heard, recording: Recording, last: float, end: float) -> None:
    """Fill in what the session said of a turn."""
    said = [event for at, event in recording.events if at > last]
    timings = next((event for event in said if event["type"] == "timings"), None)
    came = next((at for at, event in recording.events if event is timings), end)
    if timings is None or came > end + 1:
        return
    turn.stages = timings["stages"]
    for event in said:
        if event.get("turn") != timings["turn"]:
            continue
        if event["type"] == "heard" and event["final"]:
            turn.text, turn.language = event["text"], event["language"]
        elif event["type"] == "finished":
            turn.reply = f"{event['heard']} {event['unheard']}".strip()


def _first_movement(
    recording: Recording, mouth: NDArray[np.float32], last: float, began: float
) -> float | None:
    """Return when the lips began the movement that goes with the first sound."""
    shown = recording.shown_at
    near = np.flatnonzero((shown > last) & (np.abs(shown - began) < _ANTICIPATION))
    if not np.isfinite(mouth).any():
        return None
    rest = np.nanpercentile(mouth, 10)
    wide = np.nan_to_num(mouth - rest)
    opened = [i for i in near if wide[i] > _OPEN and wide[min(i + 1, len(wide) - 1)] > _OPEN]
    if not opened:
        return None
    first = opened[0]
    while first > near[0] and wide[first - 1] > _MOVED:
        first -= 1
    return float(shown[first])


def pictures(recording: Recording) -> dict[str, float]:
    """Return pictures a second and what froze, from the first question to the end.

    Returns:
        `fps`; `freezes`, how many pictures were shown for longer than `FREEZE`; `longest`,
        for how long one was, seconds. A browser's own figures, where one looked.
    """
    if told := recording.about.get("pictures"):
        return told
    start = recording.asked[0].first if recording.asked else 0.0
    shown = recording.shown_at[recording.shown_at >= start]
    if len(shown) < 2:
        return {"fps": 0.0, "freezes": 0.0, "longest": 0.0}
    gaps = np.diff(shown)
    return {
        "fps": float(len(gaps) / (shown[-1] - shown[0])),
        "freezes": float((gaps > FREEZE).sum()),
        "longest": float(gaps.max()),
    }
