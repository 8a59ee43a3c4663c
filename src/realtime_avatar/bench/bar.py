"""One figure that a benchmark asks for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """What was asked for, and what was measured.

    Attributes:
        what: In words, with the unit.
        value: Measured, the worst where there are several; None where nothing could be.
        least: That it must be; None if only too much is bad.
        most: That it may be; None if only too little is bad.
    """

    what: str
    value: float | None
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        low = self.least is None or self.value >= self.least
        return low and (self.most is None or self.value <= self.most)
