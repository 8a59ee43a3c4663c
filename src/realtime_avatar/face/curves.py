"""Curves of a motion below its film, so that a person can see what moves and when."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from realtime_avatar.media.motion import INDEX, Motion

Picture = NDArray[np.uint8]

_ROWS: Final = (
    (("jaw", "#f2a65a", ("jawOpen",), 0.6), ("closed", "#7bdff2", ("mouthClose",), 0.6)),
    (
        ("lower lip", "#c3e88d", ("mouthLowerDownLeft", "mouthLowerDownRight"), 0.6),
        ("pucker", "#f78fb3", ("mouthPucker",), 0.8),
        ("funnel", "#b39ddb", ("mouthFunnel",), 0.8),
    ),
    (
        ("blink", "#ffffff", ("eyeBlinkLeft", "eyeBlinkRight"), 1.0),
        ("brows", "#ffe082", ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), 1.0),
    ),
)
"""Of each row its curves: name, colour, the weights of which it is the mean, full height."""

_HIGH = 40  # of a row, pixels
_GROUND = (24, 26, 30)
HEIGHT: Final = len(_ROWS) * _HIGH
"""Of the strip, pixels."""


class Curves:
    """The strip below a film.

    Args:
        motion: All of it.
        width: Of the film, pixels.
    """

    def __init__(self, motion: Motion, width: int) -> None:
        self._frames, self._width = len(motion.weights), width
        strip = Image.new("RGB", (width, HEIGHT), _GROUND)
        pen = ImageDraw.Draw(strip)
        for row, curves in enumerate(_ROWS):
            base, left = (row + 1) * _HIGH - 4, 6
            pen.line([(0, base + 3), (width, base + 3)], fill=(60, 64, 70))
            for name, tint, units, full in curves:
                values = motion.weights[:, [INDEX[unit] for unit in units]].mean(1)
                x = (np.arange(self._frames) + 0.5) * width / max(1, self._frames)
                y = base - np.clip(values / full, 0, 1) * (_HIGH - 8)
                points = list(zip(x.tolist(), y.tolist(), strict=True))
                pen.line(points, fill=tint, width=2)
                pen.text((left, row * _HIGH + 2), name, fill=tint)
                left += int(pen.textlength(name)) + 10
        self._strip = np.asarray(strip, np.uint8)

    def below(self, picture: Picture, frame: int) -> Picture:
        """Return a picture with the strip below it, and a line at this frame."""
        strip = self._strip.copy()
        at = min(self._width - 1, int((frame + 0.5) * self._width / max(1, self._frames)))
        strip[:, at] = 230
        return np.concatenate([picture, strip])
