"""What a model remembers of a conversation."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.kernels import Shape

_FIRST: Final = 512  # positions for which there is room at first
_RUN: Final = 16  # shortest run of tokens worth moving when what was before them is gone


class Memory:
    """Tokens that were read, and what later ones look back at. Every conversation has its own.

    Args:
        shape: Of the model.
        turns: By how much each pair of a head's numbers turns from a position to the next, rad.

    Attributes:
        tokens: That were read.
        keys: Float32 [layers, shared heads, room, head].
        values: Alike.
        hidden: What the last layer made of each token, [room, width].
        guessing: Keys and values of what guesses the next tokens; see `Draft`.
        guessed: Tokens that it has read.
        since: The first token that it may look back to.
    """

    def __init__(self, shape: Shape, turns: NDArray[np.float64]) -> None:
        self._shape, self._turns = shape, turns
        self.tokens: list[int] = []
        self.keys, self.values = self._room(_FIRST), self._room(_FIRST)
        self.hidden = np.zeros((_FIRST, shape.width), np.float32)
        self.guessing = np.zeros((2, 1, shape.shared, _FIRST, shape.head), np.float32)
        self.guessed = self.since = 0

    def reserve(self, tokens: int) -> None:
        """Make room for so many tokens in all."""
        room = before = self.keys.shape[2]
        while room < tokens:
            room *= 2
        if room > before:
            keys, values = self._room(room), self._room(room)
            keys[:, :, :before], values[:, :, :before] = self.keys, self.values
            self.keys, self.values = keys, values
            hidden, guessing = self.hidden, self.guessing
            self.hidden = np.zeros((room, hidden.shape[1]), np.float32)
            self.hidden[:before] = hidden
            self.guessing = np.zeros((*guessing.shape[:3], room, guessing.shape[4]), np.float32)
            self.guessing[:, :, :, :before] = guessing

    def keep(self, tokens: Sequence[int]) -> int:
        """Forget all but what serves for other tokens; return how many of them are known.

        What has only moved forwards, because something before it was cut, is moved rather than
        read again: it goes on knowing what was cut.
        """
        known = _alike(self.tokens, tokens)
        self.forget(known)
        run = tokens[known : known + _RUN]
        if len(run) == _RUN:
            # Who asks the same again and again has said the run more than once.
            starts = range(known + 1, len(self.tokens) - _RUN)
            lengths = {
                at: _alike(self.tokens[at:], tokens[known:])
                for at in starts
                if self.tokens[at : at + _RUN] == run
            }
            if lengths:
                start = max(lengths, key=lengths.__getitem__)
                self._move(start, known, lengths[start])
                known += lengths[start]
                self.guessed = self.since = known
        self.tokens = list(tokens[:known])
        return known

    def forget(self, tokens: int) -> None:
        """Let what guesses know that there are only so many tokens."""
        if tokens <= self.since:
            self.guessed = self.since = tokens
        self.guessed = min(self.guessed, max(tokens - 1, self.since))

    def _move(self, start: int, to: int, length: int) -> None:
        keys = self.keys[:, :, start : start + length]
        self.keys[:, :, to : to + length] = self._turned(keys, to - start)
        self.values[:, :, to : to + length] = self.values[:, :, start : start + length].copy()

    def _turned(self, keys: NDArray[np.float32], by: int) -> NDArray[np.float32]:
        """Return keys as they would be, had their tokens stood `by` positions later."""
        half = self._shape.head // 2
        split = (
            (slice(0, None, 2), slice(1, None, 2))
            if self._shape.interleaved
            else (slice(0, half), slice(half, None))
        )
        cosines, sines = (f(by * self._turns).astype(np.float32) for f in (np.cos, np.sin))
        a, b = (keys[..., part] for part in split)
        out = np.empty_like(keys)
        out[..., split[0]] = a * cosines - b * sines
        out[..., split[1]] = a * sines + b * cosines
        return out

    def _room(self, tokens: int) -> NDArray[np.float32]:
        shape = self._shape
        return np.zeros((shape.layers, shape.shared, tokens, shape.head), np.float32)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
