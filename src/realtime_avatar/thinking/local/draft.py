"""Guessing a model's next tokens, so that it reads several at once.

Most of the time that a token takes is that in which the weights come from memory, and four tokens
read together need them once. So a small head, one layer that sees what the model's last layer made
of the tokens so far, guesses three, and the model says which are what it would have said: none of
its words changes. Source: EAGLE (Li et al., 2024); the weights are our own, see their card.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local.activations import Own
from realtime_avatar.thinking.local.gguf import Gguf, Tensor
from realtime_avatar.thinking.local.kernels import (
    MOST,
    PHASES,
    SPARE,
    Bench,
    Shape,
    Weights,
    counters,
    layers,
    products,
)
from realtime_avatar.thinking.local.memory import Memory
from realtime_avatar.thinking.local.packing import pack, unpack

GUESSES: Final = 3
"""Tokens that are guessed at once: with the one before them, as many as are multiplied at once."""

_MATRICES: Final = ("q", "k", "v", "o", "gate", "up", "down")
_FOLDER: Final = Path(__file__).parent / "weights"
_FILES: Final = {"Qwen2.5 Coder 1.5B Instruct GGUF": _FOLDER / "qwen2.5-coder-1.5b.gguf"}
_NONE: Final = np.empty(0, np.float32)

Together = Callable[[Callable[[Own], None]], None]
"""Has all threads do something, each with its own room."""


def draft_file(model: Gguf) -> Path | None:
    """Return the weights that were trained for a model, if there are any."""
    return _FILES.get(model.about.get("general.name", ""))


class Draft:
    """What guesses for one model. Blocking, one at a time.

    Args:
        file: With its weights.
        shape: Of the model.
        weights: Of the model, whose positions turn alike.
        embeddings: Of the model.
        threads: That pack.
        together: Has the threads that compute do something.
    """

    def __init__(
        self,
        file: Gguf,
        shape: Shape,
        weights: Weights,
        embeddings: Tensor,
        threads: ThreadPoolExecutor,
        together: Together,
    ) -> None:
        self._embeddings, self._together = embeddings, together
        self._vocabulary = np.array(file.about["draft.vocabulary"], np.intp)
        packed = list(threads.map(pack, (file.tensor(name) for name in ("fc", *_MATRICES))))
        self._fc, *matrices = self._packed = packed
        self._head = pack(embeddings, self._vocabulary)
        self._norms = {
            name: file.tensor(f"norm_{name}").floats().copy()
            for name in ("e", "h", "attn", "ffn", "out")
        }
        self._shape = shape._replace(
            layers=1, inner=matrices[4].rows, window=file.about["draft.window"]
        )
        asked = (shape.heads + 2 * shape.shared) * shape.head
        self._weights = Weights(
            np.stack([one.place for one in matrices])[None],
            np.stack([self._norms["attn"], self._norms["ffn"]])[None],
            np.zeros((1, asked), np.float32),
            weights.cosines,
            weights.sines,
        )
        rows = MOST + SPARE
        self._both = np.zeros((rows, 2 * shape.width), np.float32)
        self._bench = Bench(
            np.zeros((rows, shape.width), np.float32),
            np.zeros((rows, asked), np.float32),
            np.zeros((rows, shape.heads * shape.head), np.float32),
            np.zeros((rows, matrices[4].rows), np.float32),
            counters(self._shape, 2, max(self._head.rows, shape.width)),
        )
        self._logits = np.zeros((rows, self._head.rows), np.float32)

    def guess(self, memory: Memory, token: int) -> list[int]:
        """Return the likeliest tokens after one that is about to be read."""
        count = len(memory.tokens)
        following = [*memory.tokens[memory.guessed + 1 :], token]
        hidden = memory.unguessed()
        if not len(hidden):
            return []  # nothing is known that could be gone on from
        while len(following) > MOST:
            self._read(memory, memory.guessed, hidden[:MOST], following[:MOST])
            memory.guessed += MOST
            following, hidden = following[MOST:], hidden[MOST:]
        guess = self._read(memory, memory.guessed, hidden, following)
        memory.guessed = count
        guesses = [guess]
        for at in range(count, count + GUESSES - 1):
            made = self._bench.x[len(following) - 1 if at == count else 0][None].copy()
            guesses.append(self._read(memory, at, made, guesses[-1:]))
        return guesses

    def _read(
        self, memory: Memory, past: int, hidden: NDArray[np.float32], following: Sequence[int]
    ) -> int:
        """Read what the model made of tokens, and those after them; guess what comes then."""
        shape, bench, count = self._shape, self._bench, len(following)
        window = min(shape.window, past + count - memory.since)
        shape = shape._replace(window=window)
        embedded = unpack(self._embeddings, np.array(following))
        self._both[:count, : shape.width] = self._normed(embedded, "e")
        self._both[:count, shape.width :] = self._normed(hidden, "h")
        bench.counters[:] = 0
        keys, values = (
            numbers.view(np.uint16) for numbers in (memory.guessing_keys, memory.guessing_values)
        )
        fc, head = self._fc.place, self._head.place
        last = bench.x[count - 1 :]

        def take_part(own: Own) -> None:
            products(
                fc, 2 * shape.width, shape.width, _NONE, shape.least, self._both, count, own,
                bench.counters, PHASES, bench.x,
            )  # fmt: skip
            layers(shape, self._weights, bench, own, keys, values, past, count)
            products(
                head, shape.width, self._head.rows, self._norms["out"], shape.least, last, 1, own,
                bench.counters, PHASES + 1, self._logits,
            )  # fmt: skip

        self._together(take_part)
        return int(self._vocabulary[np.argmax(self._logits[0])])

    def _normed(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        times = 1 / np.sqrt(np.mean(x * x, -1, keepdims=True) + self._shape.least)
        return x * times * self._norms[name]
