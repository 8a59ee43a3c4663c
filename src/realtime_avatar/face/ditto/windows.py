"""One session's stream of motion: windows of diffusion that overlap.

A window of 80 frames ends with the newest that is heard. At least its first ten overlap with
what was made before (all but the new ones, where few are new, so that every window is full of
real sound); where the window disagrees with what was made, the difference is carried over and
fades within ten frames. Nothing that was made is changed: it may have been seen already.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.ditto.denoiser import FPS, FRAMES, MOTION
from realtime_avatar.face.ditto.pose import HEAD

OVERLAP: Final = 10
"""Frames, at least."""

NEW: Final = FRAMES - OVERLAP

USUAL: Final = 20
"""New frames of a window, where a speech is far enough ahead of its pictures."""

RATE: Final = 2 * FPS / USUAL
"""Windows that a session asks for in a second: those that a speech begins with are short."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A job for the diffusion: what to make motion of.

    Attributes:
        before: float32 (265,), the motion of the frame before the window.
        cond: float32 (80, condition), what is heard and wanted in each frame.
        begin: float32 (80, 265), standard normal.
    """

    before: Floats
    cond: Floats
    begin: Floats


class MotionStream:
    """Makes motion, frame after frame, of what is heard.

    Args:
        make: Runs the diffusion on one window, within some seconds: (80, 265).
        before: (265,), the portrait's motion, which the first window follows.
        quiet: (condition,), what is heard and wanted in a frame of silence.
        limits: The least and the most that each number of a motion may be.
        seed: Of the noise.
    """

    def __init__(
        self,
        make: Callable[[Window, float], Awaitable[Floats]],
        before: Floats,
        quiet: Floats,
        limits: tuple[Floats, Floats] | None = None,
        seed: int = 0,
    ) -> None:
        self._make, self._limits = make, limits
        self._random = np.random.default_rng(seed)
        # What was heard, and the motion made of it, newest last.
        self._heard = np.repeat(quiet[None], FRAMES, 0)
        self._made = np.repeat(before[None], FRAMES, 0)
        self.fresh = True
        """Whether nothing was made yet."""

    async def extend(self, cond: Floats, within: float) -> Floats:
        """Return the motion of the next frames, (frames, 265).

        Args:
            cond: (frames, condition).
            within: Seconds in which each window is wanted.
        """
        rows = [np.zeros((0, MOTION), np.float32)]
        for at in range(0, len(cond), NEW):
            rows += [await self._window(cond[at : at + NEW], within)]
        return np.concatenate(rows)

    def branch(self, unseen: int = 0) -> Self:
        """Return a stream that goes on from the frame before the newest `unseen`."""
        other = copy(self)
        other.forget(unseen)
        return other

    def forget(self, frames: int) -> None:
        """Take back the newest frames, which nobody has seen."""
        kept = max(FRAMES, len(self._made) - frames)
        self._heard, self._made = self._heard[:kept], self._made[:kept]

    @property
    def newest(self) -> Floats:
        """float32 (10, 265), the motion made last: what the next window overlaps with."""
        return self._made[-OVERLAP:]

    def follow(self, newest: Floats) -> None:
        """Go on from what was `newest` elsewhere."""
        self._made = np.concatenate([self._made, newest])[-2 * FRAMES :]
        self._heard = np.concatenate([self._heard, self._heard[-len(newest) :]])[-2 * FRAMES :]
        self.fresh = False

    async def _window(self, cond: Floats, within: float) -> Floats:
        new, old = len(cond), FRAMES - len(cond)
        heard = np.concatenate([self._heard, cond])
        before = self._made[-old - 1] if old < len(self._made) else self._made[0]
        begin = self._random.standard_normal((FRAMES, MOTION), dtype=np.float32)
        made = await self._make(Window(before, heard[-FRAMES:], begin), within)
        made[:, HEAD] = _smooth(made[:, HEAD])
        rows = made[old:]
        if not self.fresh:
            fade = 1 - np.arange(1, new + 1, dtype=np.float32) / OVERLAP
            rows = rows + (self._made[-1] - made[old - 1]) * fade.clip(0)[:, None]
        if self._limits is not None:
            rows = rows.clip(*self._limits)
        self.fresh = False
        rows = rows.astype(np.float32)
        # Twice as much as a window holds, as some of it may be taken back.
        self._heard = heard[-2 * FRAMES :]
        self._made = np.concatenate([self._made, rows])[-2 * FRAMES :]
        return rows


def _smooth(rows: Floats) -> Floats:
    """Return each row as the mean of itself and its neighbours."""
    wide = np.concatenate([rows[:1], rows, rows[-1:]])
    return ((wide[:-2] + wide[1:-1] + wide[2:]) / 3).astype(np.float32)
