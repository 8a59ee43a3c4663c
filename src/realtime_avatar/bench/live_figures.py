"""Many turns as a few figures."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from realtime_avatar.bench.live_turns import Heard

STAGES: Final = ("recognizer", "end_of_turn", "chat", "voice", "face", "playout")
"""Of the session's own timings, in the order in which they usually come."""

PERCENTILES: Final = (50, 95, 99)


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Return p50, p95, p99, the worst and the count; None of nothing."""
    held = np.array(list(values), np.float64)
    if not held.size:
        return None
    found = {f"p{p}": float(np.percentile(held, p)) for p in PERCENTILES}
    return found | {"worst": float(held.max()), "count": int(held.size)}


def figures(turns: Sequence[Heard], seen: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the figures of one run.

    Args:
        turns: Of all sessions.
        seen: What `pictures` says of each session.

    Returns:
        `seconds`: spreads of `sound` and `mouth` (from the last sample of speech to the
        first sound heard and the first movement of the mouth seen), `silence` (from the
        first speech of an interruption to the last sound heard), `halt` (each silence within
        an answer that is no pause) and `skew` (its size; each phrase). `stages`: the same for
        each stage as the session tells it, and `delivery`, from the playout to the ear, with
        all by which the session was wrong about when the question ended. `pictures`: the
        slowest session's frames a second, all freezes, and the longest. `failures`: turns that
        went wrong, by how. `turns`.
    """
    stages = {name: spread(t.stages[name] for t in turns if name in t.stages) for name in STAGES}
    delivery = [
        turn.sound - turn.stages["playout"]
        for turn in turns
        if turn.sound is not None and "playout" in turn.stages
    ]
    return {
        "seconds": {
            "sound": spread(turn.sound for turn in turns if turn.sound is not None),
            "mouth": spread(turn.mouth for turn in turns if turn.mouth is not None),
            "silence": spread(turn.silence for turn in turns if turn.silence is not None),
            "halt": spread(halt for turn in turns for halt in turn.halts),
            "skew": spread(abs(skew) for turn in turns for skew in turn.skews),
        },
        "stages": stages | {"delivery": spread(delivery)},
        "pictures": {
            "fps": min((one["fps"] for one in seen), default=0.0),
            "freezes": sum(one["freezes"] for one in seen),
            "longest": max((one["longest"] for one in seen), default=0.0),
        },
        "failures": {
            "unanswered": sum(turn.sound is None for turn in turns),
            "answered_early": sum(turn.early for turn in turns),
            "talked_on": sum(turn.over and turn.silence is None for turn in turns),
            "mouth_unseen": sum(turn.sound is not None and turn.mouth is None for turn in turns),
            "phrases_unmatched": sum(turn.lost for turn in turns),
        },
        "turns": [turn.report() for turn in turns],
    }
