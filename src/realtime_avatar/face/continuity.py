"""No jump in what is shown, whatever happens to the stream that it comes from."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FADE: Final = 0.25  # seconds
_SOON: Final = 0.12  # the same, of what a sound asks for after a break
_KEPT: Final = 32  # frames that may be taken back


class Continuity:
    """Joins rows of motion that do not follow one another.

    Where the stream breaks, the difference between what was last seen and what comes next
    is carried along and fades. (Inertialization: Bollo, "Inertialization: high-performance
    animation transitions in Gears of War", GDC 2018.) Lips would else open after what they say:
    when speech begins they fade sooner, and not at all from the unbroken life between.

    Args:
        fps: Rows a second.
        lips: Columns that speech moves fast, and that leave silence no faster than they may.
    """

    def __init__(self, fps: int, lips: Sequence[int] = ()) -> None:
        self._fps, self._lips = fps, list(lips)
        self._shown = deque[tuple[bool, Floats]](maxlen=_KEPT)
        self._off: Floats | None = None
        self._faded = self._fade = np.zeros(0, np.float32)  # of the whole fade: so far, a row
        self._broken = False

    def join(self, row: Floats, *, said: bool) -> Floats:
        """Return the next row as it is to be shown.

        Args:
            row: float32 (columns,), of the speech or of the life between.
            said: Which of the two.
        """
        if self._shown and (self._broken or said != self._shown[-1][0]):
            whole = self._off is None and not self._broken
            self._off = self._shown[-1][1] - row
            self._faded = np.zeros_like(row)
            self._fade = np.full_like(row, 1 / (_FADE * self._fps))
            if said:
                self._fade[self._lips] = 1 if whole else 1 / (_SOON * self._fps)
        self._broken = False
        if self._off is None:
            return row
        x = self._faded = np.minimum(self._faded + self._fade, np.float32(1))
        off = self._off * (1 - x * x * (3 - 2 * x))
        if x.min() == 1:
            self._off = None
        return (row + off).astype(np.float32)

    def keep(self, row: Floats, *, said: bool) -> None:
        """Take note that a row of `join` is given to be seen."""
        self._shown.append((said, row))

    @property
    def shown(self) -> Floats | None:
        """The row that was given last, if any was."""
        return self._shown[-1][1] if self._shown else None

    def follow(self, row: Floats) -> None:
        """Go on from a row that was given elsewhere."""
        self._shown.append((False, row))
        self._broken = True

    def take_back(self, rows: int = 0) -> None:
        """Go on from the row before the last `rows`, which were never seen.

        Only speech is taken back: what lives between is seen as soon as it is made.
        """
        while rows > 0 and len(self._shown) > 1 and self._shown[-1][0]:
            self._shown.pop()
            rows -= 1
        self._broken = True
