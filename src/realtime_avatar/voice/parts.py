"""Where an utterance may be cut into parts that are heard while the next is computed."""

from collections.abc import Sequence
from typing import Final

REACH: Final = 4
"""Frames of 25 ms around a part that are computed with it, as it sounds otherwise without them."""

_FEWEST: Final = 28
"""Frames of a part, of which the first has some of silence: a shorter one costs too much more."""
_SPARE: Final = 0.7
"""Of the time in which sound is heard, what computing the next may take."""
_GROWTH: Final = 2.0
_SLOW: Final = 1.5
"""A next part that may not be so many times as long does not help: two parts, then."""


def cuts(starts: Sequence[int], length: int, factor: float, ahead: float = 0.0) -> list[int]:
    """Return the words with which a new part begins, so that none is late.

    Args:
        starts: The frame in which each word begins.
        length: Frames of the utterance.
        factor: The time that computing takes, of the time that is heard.
        ahead: Frames that are still to be heard before it.
    """
    times = _SPARE / max(factor, 1e-3)
    least = max(_FEWEST, ahead * times - 2 * REACH)
    if times < _SLOW:
        least = max(least, length / (1 + times))
    found, last, heard = list[int](), 0, starts[0] if starts else 0  # silence is not waited for
    for word, start in enumerate(starts):
        if start - last >= least and length - start >= _FEWEST // 2:
            found.append(word)
            least = max((start - heard) * min(times, _GROWTH) - 2 * REACH, _FEWEST)
            last = heard = start
    return found
