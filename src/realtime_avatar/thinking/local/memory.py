"""What a model remembers of a conversation."""

import math
from collections.abc import Sequence
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.attention import BLOCK, blocks
from realtime_avatar.thinking.local.kernels import Shape

_LATELY: Final = 128  # tokens of which it is known what the last layer made of them
_RUN: Final = 16  # shortest run of tokens worth moving when what was before them is gone


class Memory:
    """Tokens that were read, and what later ones look back at. Every conversation has its own.

    Args:
        shape: Of the model.
        turns: By how much each pair of a head's numbers turns from a position to the next, rad.
        room: For how many tokens there is room.

    Attributes:
        tokens: That were read.
        keys: Float16 [layers, shared heads, blocks, head, `BLOCK`]; see `attention`.
        values: Alike, [layers, shared heads, room, head].
        guessing_keys: Of what guesses the next tokens; see `Draft`.
        guessing_values: Alike.
        guessed: Tokens that it has read.
        since: The first token that it may look back to.
    """

    def __init__(self, shape: Shape, turns: NDArray[np.float64], room: int) -> None:
        self._shape, self._turns = shape, turns
        self.tokens: list[int] = []
        self.keys, self.guessing_keys = (
            _halves(count, shape.shared, blocks(room), shape.head, BLOCK)
            for count in (shape.layers, 1)
        )
        self.values, self.guessing_values = (
            _halves(count, shape.shared, room, shape.head) for count in (shape.layers, 1)
        )
        self.guessed = self.since = 0
        self._made = np.zeros((_LATELY, shape.width), np.float32)

    def add(self, tokens: Sequence[int], made: NDArray[np.float32]) -> None:
        """Remember tokens whose keys and values have been written.

        Args:
            tokens: They come after those that were read.
            made: What the last layer made of each, [tokens, width].
        """
        places = np.arange(len(self.tokens), len(self.tokens) + len(tokens))
        self._made[places % _LATELY] = made
        self.tokens += tokens
        self.since = max(self.since, len(self.tokens) - _LATELY)
        self.guessed = max(self.guessed, self.since)

    def unguessed(self) -> NDArray[np.float32]:
        """Return what the last layer made of the tokens from the `guessed`th on."""
        return self._made[np.arange(self.guessed, len(self.tokens)) % _LATELY]

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
        old, new = slice(start, start + length), slice(to, to + length)
        used = blocks(start + length)
        for keys, values in zip(self.keys, self.values, strict=True):
            read = keys[:, :used]
            rows = read.swapaxes(-1, -2).reshape(len(keys), -1, self._shape.head)
            rows[:, new] = self._turned(rows[:, old], to - start)
            read[:] = rows.reshape(len(keys), used, BLOCK, -1).swapaxes(-1, -2)
            values[:, new] = values[:, old].copy()

    def _turned(self, keys: NDArray[np.float16], by: int) -> NDArray[np.float16]:
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


def _halves(*shape: int) -> NDArray[np.float16]:
    """Return zeros, which take memory where they have been written, and no other."""
    memory = mmap(-1, 2 * math.prod(shape), MAP_PRIVATE | MAP_ANONYMOUS)
    return np.frombuffer(memory, np.float16).reshape(shape)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
