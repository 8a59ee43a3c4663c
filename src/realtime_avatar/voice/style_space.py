"""Voices as points: coordinates in the space that the stock voices of Kokoro span.

A pack's first 128 numbers colour the sound, the other 128 the melody and rhythm. For each half
the stock packs' principal components, scaled so that stock voices have variance 1 in each, are
the axes; a point is the mean pack moved along them, for every length of utterance at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pack = NDArray[np.float32]
"""A voice: the style for each length of utterance, shape (510, 1, 256)."""

Point = NDArray[np.float64]
"""Coordinates: those of the sound, then those of the melody."""

HALF: Final = 128


@dataclass(frozen=True, slots=True)
class StyleSpace:
    """The space.

    Attributes:
        names: Of the stock voices.
        sound: How much of each voice (rows) a step along each axis adds, (voices, axes).
        melody: The same for the second half.
    """

    names: Sequence[str]
    sound: NDArray[np.float64]
    melody: NDArray[np.float64]

    @property
    def size(self) -> int:
        """How many coordinates a point has."""
        return self.sound.shape[1] + self.melody.shape[1]

    def weights(self, point: Point) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how much of each stock voice a point's halves hold; each sums to 1."""
        axes = self.sound.shape[1]
        even = 1 / len(self.names)
        return even + self.sound @ point[:axes], even + self.melody @ point[axes:]

    def pack(self, point: Point, stock: Callable[[str], Pack]) -> Pack:
        """Return the voice at a point.

        Args:
            point: Its coordinates.
            stock: Returns the pack of a stock voice.
        """
        sound, melody = self.weights(point)
        pack = np.zeros((510, 1, 2 * HALF), np.float32)
        for name, of_sound, of_melody in zip(self.names, sound, melody, strict=True):
            voice = stock(name)
            pack[..., :HALF] += np.float32(of_sound) * voice[..., :HALF]
            pack[..., HALF:] += np.float32(of_melody) * voice[..., HALF:]
        return pack
