"""What a client of a live benchmark is to do."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SETTLE = 2.0
"""Seconds from the first picture to the first question: connections find their pace."""

PAUSE = 1.0
"""Seconds of silence after an answer before the next question, at least; at most twice that."""

TALKING = 1.2
"""Seconds that the avatar has been heard before somebody speaks over it."""

PATIENCE = 20.0
"""Seconds to wait for an answer to begin."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One client's part.

    Attributes:
        url: Of the server.
        questions: Files of the recordings, asked in turn.
        turns: Questions that count.
        warm: Questions asked before those, so that every engine has worked once.
        every: Each one after so many is spoken over the answer before it; 0: none is.
        seed: Of the pauses; another for each client.
    """

    url: str
    questions: tuple[str, ...]
    turns: int
    warm: int = 1
    every: int = 4
    seed: int = 0

    def interrupts(self, number: int) -> bool:
        """Return whether a question, counted from 0 with the first ones, is spoken over."""
        counted = number - self.warm
        return self.every > 0 and counted > 0 and counted % self.every == self.every - 1

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, path: Path) -> "Plan":
        told = json.loads(path.read_text("utf-8"))
        return cls(**told | {"questions": tuple(told["questions"])})
