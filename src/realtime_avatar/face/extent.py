"""Where in a picture a person who has been cut out may be; what lies beyond is not painted."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BAND: Final = 32
"""Rows of a picture that share their columns."""

_NEAR: Final = 2  # pixels that sampling between texels and rounding may add


class Extent:
    """Finds the columns beyond which a cut-out person is transparent.

    A warp of triangles moves nothing further than it moves their corners.

    Args:
        alpha: Of the texture, uint8 (rows, columns).
        width: Of the pictures.
        height: Of the pictures.
        margin: How much larger the texture is on each side, pixels of the pictures.
    """

    def __init__(self, alpha: NDArray[np.uint8], width: int, height: int, margin: int) -> None:
        self._width, self._height, self._margin = width, height, margin
        rows, columns = alpha.shape
        self._fine = rows / (height + 2 * margin)  # texels a pixel
        wide = columns / (width + 2 * margin)
        there = alpha > 0
        some = there.any(1)
        first = there.argmax(1) / wide - margin
        last = (columns - there[:, ::-1].argmax(1)) / wide - margin
        self._first = np.where(some, first, np.inf)
        self._last = np.where(some, last, -np.inf)

    def columns(self, across: float, down: float) -> NDArray[np.int32]:
        """Return the first column of each row and that after its last, (height, 2).

        They are alike within each `BAND`, and zero where there is nothing.

        Args:
            across: How far any corner has moved from where the texture shows it, pixels.
            down: Likewise.
        """
        found = np.zeros((self._height, 2), np.int32)
        for top in range(0, self._height, BAND):
            begin = max(0, int((top - down - _NEAR + self._margin) * self._fine))
            end = int(np.ceil((top + BAND + down + _NEAR + self._margin) * self._fine))
            first = self._first[begin:end].min(initial=np.inf) - across - _NEAR
            last = self._last[begin:end].max(initial=-np.inf) + across + _NEAR
            if first < last:
                edges = np.clip([np.floor(first), np.ceil(last)], 0, self._width)
                found[top : top + BAND] = edges
        return found
