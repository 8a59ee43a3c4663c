"""A model's weights, and what it has read."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local import kernels
from realtime_avatar.thinking.local.activations import Own, own
from realtime_avatar.thinking.local.attention import BLOCK, blocks
from realtime_avatar.thinking.local.draft import GUESSES, Draft
from realtime_avatar.thinking.local.gguf import Q4_0, Q4_1, Q4_K, Q6_K, Gguf, Tensor
from realtime_avatar.thinking.local.kernels import MOST, PHASES, SPARE, Bench, Shape, Weights
from realtime_avatar.thinking.local.memory import Memory
from realtime_avatar.thinking.local.packing import Packed, pack, unpack

_MATRICES: Final = (
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip
_ARCHITECTURES: Final = ("llama", "qwen2")
_EXACT: Final = (Q4_0, Q4_1, Q4_K, Q6_K)
_BEST: Final = 64  # tokens at most, whose likelihoods are computed with the weights as they are
_NEAR: Final = 10.0  # logits: what is that far behind the likeliest is not among them
_COMPARED: Final = 64  # rows of two matrices
_ALIKE: Final = 0.2  # of the weights: four bits are a tenth off


@dataclass(frozen=True, slots=True)
class Likely:
    """What may follow.

    Attributes:
        tokens: The likeliest first.
        scores: Of them: logits.
        others: All tokens that can be spoken.
        rough: Of them, about: until the model reads on.
    """

    tokens: NDArray[np.intp]
    scores: NDArray[np.float32]
    others: NDArray[np.intp]
    rough: NDArray[np.float32]


class Model:
    """A transformer of a GGUF file. Blocking: use it in worker threads, one at a time.

    Args:
        file: With the weights.
        positions: Tokens that it will read at most.
        threads: That compute.
        spoken: The tokens that it may say.
        draft: With the weights of what guesses for it.

    Raises:
        ValueError: if it is damaged or cannot be computed here.
    """

    def __init__(
        self,
        file: Gguf,
        positions: int,
        threads: int,
        spoken: NDArray[np.intp],
        draft: Gguf | None = None,
    ) -> None:
        self._file = file
        self.shape, self._most = _shape(file, positions), positions + MOST
        shape = self.shape
        self._threads = ThreadPoolExecutor(threads, "local-chat")
        self._embeddings = file.tensor("token_embd.weight")
        name = "output.weight"
        self._scores = file.tensor(name) if name in file else self._embeddings
        filled = np.concatenate([spoken, spoken[: -len(spoken) % 16]])
        self._spoken = filled

        def packed(name: str) -> Packed:
            tensor = file.tensor(name)
            if tensor.type not in _EXACT:
                raise ValueError(f"its {name} is of type {tensor.type}, which is not computed here")
            matrix = pack(tensor)
            file.forget()
            return matrix

        names = [
            f"blk.{layer}.{name}.weight" for layer in range(shape.layers) for name in _MATRICES
        ]
        # Of those that four bits find the likeliest, more is computed: see `_likely`.
        rough = self._embeddings if _same(self._embeddings, self._scores) else self._scores
        head = self._threads.submit(pack, rough, filled)
        self._packed = list(self._threads.map(packed, names))
        self._head = head.result()
        self._place = self._head.place
        self._norm = file.tensor("output_norm.weight").floats().copy()
        self._turns = _turns(file, shape)
        self._weights = _weights(file, shape, positions, self._turns, self._packed)
        asked = (shape.heads + 2 * shape.shared) * shape.head
        rows = MOST + SPARE
        self._bench = Bench(
            np.zeros((rows, shape.width), np.float32),
            np.zeros((rows, asked), np.float32),
            np.zeros((rows, shape.heads * shape.head), np.float32),
            np.zeros((rows, shape.inner), np.float32),
            kernels.counters(shape, 1, self._head.rows),
        )
        self._logits = np.zeros((rows, self._head.rows), np.float32)
        widest = max(2 * shape.width, shape.inner)
        places = blocks(self._most) * BLOCK
        self._own = [own(widest, places, rows, shape.head) for _ in range(threads)]
        self._draft: Draft | None = None
        if draft:
            self._draft = Draft(
                draft, shape, self._weights, self._embeddings, self._threads, self._together
            )

    def close(self) -> None:
        """End its threads. What is computed is computed."""
        self._threads.shutdown(wait=False)

    def rest(self) -> None:
        """Give back the memory of rows that were looked up in the file, until they are again."""
        self._file.forget()

    def memory(self) -> Memory:
        """Return an empty memory."""
        return Memory(self.shape, self._turns, self._most)

    def read(self, memory: Memory, tokens: Sequence[int], guesses: int = 0) -> list[Likely]:
        """Read tokens; return what may follow the last of them, and each of some before it.

        Args:
            memory: To which they are added.
            tokens: At least one, at most `MOST`.
            guesses: For how many tokens before the last it is told, too.

        Raises:
            ValueError: if that is more than there are positions for, where kernels would write.
        """
        count, past = len(tokens), len(memory.tokens)
        if past + count > self._most:
            raise ValueError(f"{past + count} tokens are more than the model's context")
        bench = self._bench
        bench.x[:count] = unpack(self._embeddings, np.array(tokens))
        bench.counters[:] = 0
        rows = guesses + 1
        self._together(lambda own: self._take_part(own, memory, past, count, rows))
        memory.add(tokens, bench.x[:count])
        return [self._likely(row, bench.x[count - rows + row]) for row in range(rows)]

    def read_on(self, memory: Memory, token: int) -> tuple[list[int], list[Likely]]:
        """Read a token, and guesses of what follows it.

        Returns:
            The guesses, and what may follow the token and each of them. What was guessed wrong,
            and all after it, is to be forgotten: `Memory.tokens` and `Memory.forget`.
        """
        fits = len(memory.tokens) + 1 + GUESSES <= self._most
        guesses = self._draft.guess(memory, token) if self._draft and fits else []
        return guesses, self.read(memory, [token, *guesses], len(guesses))

    def _together(self, part: Callable[[Own], None]) -> None:
        """Have all threads take part in something."""
        others = [self._threads.submit(part, own) for own in self._own[1:]]
        part(self._own[0])
        _end(others)

    def _take_part(self, own: Own, memory: Memory, past: int, count: int, rows: int) -> None:
        bench, shape = self._bench, self.shape
        keys, values = memory.keys.view(np.uint16), memory.values.view(np.uint16)
        kernels.layers(shape, self._weights, bench, own, keys, values, past, count)
        kernels.products(
            self._place, shape.width, self._head.rows, self._norm, shape.least,
            bench.x[count - rows :], rows, own, bench.counters, shape.layers * PHASES,
            self._logits,
        )  # fmt: skip

    def _likely(self, row: int, x: NDArray[np.float32]) -> Likely:
        logits = self._logits[row]
        best = np.flatnonzero(logits > logits.max() - _NEAR)
        if len(best) > _BEST:
            best = best[np.argpartition(logits[best], -_BEST)[-_BEST:]]
        tokens = np.unique(self._spoken[best])
        times = 1 / np.sqrt(np.mean(x * x) + self.shape.least)
        scores = unpack(self._scores, tokens) @ (x * times * self._norm)
        order = np.argsort(-scores)
        return Likely(tokens[order], scores[order], self._spoken, logits)


def _same(one: Tensor, other: Tensor) -> bool:
    """Return whether two matrices are one, written with more and with fewer bits."""
    if one.rows.shape[0] != other.rows.shape[0] or one.columns != other.columns:
        return False
    some = np.linspace(0, one.rows.shape[0] - 1, _COMPARED).astype(np.intp)
    a, b = unpack(one, some), unpack(other, some)
    return bool(np.abs(a - b).mean() < _ALIKE * np.abs(b).mean())


def _end(others: list[Future[None]]) -> None:
    """Wait for threads that have begun; those that come too late need not."""
    for other in others:
        if not other.cancel():
            other.result()


def _shape(file: Gguf, positions: int) -> Shape:
    architecture = file.about.get("general.architecture")
    if architecture not in _ARCHITECTURES:
        known = " and ".join(_ARCHITECTURES)
        raise ValueError(f"its architecture is {architecture!r}; {known} are computed here")

    def told(key: str) -> Any:
        if (value := file.about.get(f"{architecture}.{key}")) is None:
            raise ValueError(f"it does not tell its {key}")
        return value

    width, heads = told("embedding_length"), told("attention.head_count")
    if width // heads % BLOCK:
        raise ValueError(f"its heads have {width // heads} numbers, no multiple of {BLOCK}")
    return Shape(
        layers=told("block_count"),
        width=width,
        heads=heads,
        shared=told("attention.head_count_kv"),
        head=width // heads,
        inner=told("feed_forward_length"),
        window=positions,
        interleaved=int(architecture == "llama"),
        least=float(told("attention.layer_norm_rms_epsilon")),
    )


def _turns(file: Gguf, shape: Shape) -> NDArray[np.float64]:
    """Return by how much each pair of a head's numbers turns from a position to the next."""
    key = f"{file.about['general.architecture']}.rope.freq_base"
    base = float(file.about.get(key, 10_000))
    return base ** (-np.arange(0, shape.head, 2) / shape.head)


def _weights(
    file: Gguf, shape: Shape, positions: int, turns: NDArray[np.float64], packed: list[Packed]
) -> Weights:
    where = np.stack([one.place for one in packed])
    norms = [
        [file.tensor(f"blk.{layer}.{name}_norm.weight").floats() for name in ("attn", "ffn")]
        for layer in range(shape.layers)
    ]
    biases = np.zeros((shape.layers, (shape.heads + 2 * shape.shared) * shape.head), np.float32)
    if "blk.0.attn_q.bias" in file:
        for layer in range(shape.layers):
            parts = [file.tensor(f"blk.{layer}.attn_{name}.bias").floats() for name in "qkv"]
            biases[layer] = np.concatenate(parts)
    angles = np.arange(positions + MOST)[:, None] * turns
    return Weights(
        where.reshape(shape.layers, len(_MATRICES), 2),
        np.array(norms, np.float32),
        biases,
        np.cos(angles).astype(np.float32),
        np.sin(angles).astype(np.float32),
    )
