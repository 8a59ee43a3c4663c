"""Whisper's decoder on one core, weights in bytes, as machine code from Numba.

The network is that of Radford, Kim, Xu, Brockman, McLeavey, Sutskever, "Robust Speech Recognition
via Large-Scale Weak Supervision", 2022: a transformer whose layers look at the text so far and at
the sound. Each token needs all weights once, and memory is what that waits for: they are signed
bytes with a scale for each row, and what they are multiplied with stays in float32.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing
from realtime_avatar.hearing.ctranslate2_file import read_variables

Floats = NDArray[np.float32]

_LEAST: Final = np.float32(1e-5)  # that norms add to what they divide by
_jit: Any = cast("Any", numba).njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


class Matrix(NamedTuple):
    """Of all layers: `rows` int8 [layers, out, in], `scales` and `bias` [layers, out]."""

    rows: NDArray[np.int8]
    scales: Floats
    bias: Floats


class Layers(NamedTuple):
    """Weights.

    Attributes:
        asked: Queries, keys and values of the text.
        answered: What comes of them.
        heard: Queries to the sound.
        told: What comes of them.
        wide: The first of the two matrices at the end.
        narrow: The second.
        norms: Factor and addend before each of the three parts, [layers, 3, 2, width].
        last: Of the norm at the end, [2, width].
        words: Embeddings of all tokens, one layer.
        places: Of positions, [positions, width].
    """

    asked: Matrix
    answered: Matrix
    heard: Matrix
    told: Matrix
    wide: Matrix
    narrow: Matrix
    norms: Floats
    last: Floats
    words: Matrix
    places: Floats


class Sound(NamedTuple):
    """What was heard: keys and values [layers, heads, frames, head]."""

    keys: Floats
    values: Floats


class Memory(NamedTuple):
    """What was written: keys and values [layers, hypotheses, heads, positions, head]."""

    keys: Floats
    values: Floats

    def of(self, hypotheses: NDArray[np.intp], length: int) -> "Memory":
        """Return a memory whose hypotheses begin as these do, up to a length."""
        if (hypotheses == np.arange(len(hypotheses))).all():
            return self
        for held in self:
            held[:, : len(hypotheses), :, :length] = held[:, hypotheses, :, :length]
        return self


class TextDecoder:
    """Says how probable each token is after some others.

    Args:
        file: `model.bin` of a Whisper model for CTranslate2.

    Raises:
        ModelMissing: if the file is not what it should be.
    """

    def __init__(self, file: Path) -> None:
        held = read_variables(file, "decoder/")
        try:
            self._heads = int(held["num_heads"])
            self._layers, self._sound = _layers(held), _sound_weights(held)
        except (KeyError, ValueError) as error:
            raise ModelMissing(f"{file} is not what it should be: {error}") from error
        self.positions, self.width = self._layers.places.shape

    def listen(self, encoded: Floats) -> Sound:
        """Return what tokens look at of a piece, whose encoding is float32 (frames, width)."""
        both = [encoded @ weight.T + bias for weight, bias in self._sound]
        split = np.stack(both).reshape(len(both), len(encoded), 2, self._heads, -1)
        keys, values = split.transpose(2, 0, 3, 1, 4)
        return Sound(np.ascontiguousarray(keys), np.ascontiguousarray(values))

    def memory(self, hypotheses: int, positions: int) -> Memory:
        """Return room for texts of so many tokens."""
        head = self.width // self._heads
        shape = len(self._layers.norms), hypotheses, self._heads, positions, head
        return Memory(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def read(self, tokens: NDArray[np.int64], sound: Sound, memory: Memory) -> Floats:
        """Read the first tokens of hypothesis 0; return logits after each, (tokens, vocabulary).

        Args:
            tokens: shape (tokens,).
            sound: That is heard.
            memory: Is written.
        """
        rows = np.zeros(len(tokens), np.int64)
        return self._run(tokens, rows, np.arange(len(tokens)), sound, memory)

    def go_on(self, tokens: NDArray[np.int64], at: int, sound: Sound, memory: Memory) -> Floats:
        """Read one more token of each hypothesis; return logits, (hypotheses, vocabulary).

        Args:
            tokens: shape (hypotheses,).
            at: Their position.
            sound: That is heard.
            memory: Is written.
        """
        rows = np.arange(len(tokens))
        return self._run(tokens, rows, np.full(len(tokens), at), sound, memory)

    def _run(
        self, tokens: NDArray[np.int64], rows: NDArray[np.int64], at: NDArray[np.int64],
        sound: Sound, memory: Memory,
    ) -> Floats:  # fmt: skip
        out = np.empty((len(tokens), self._layers.words.rows.shape[1]), np.float32)
        _decode(self._layers, tokens, rows, at, sound, memory, out)
        return out


def _layers(held: dict[str, Any]) -> Layers:
    count = sum(name.endswith("/ffn/linear_0/weight") for name in held)

    def floats(name: str) -> Floats:
        return held[name].astype(np.float32)

    def matrix(name: str) -> Matrix:
        names = [f"layer_{number}/{name}" for number in range(count)]
        bias = np.stack([floats(f"{name}/bias") for name in names])
        return _bytes(np.stack([floats(f"{name}/weight") for name in names]), bias)

    def norm(name: str) -> Floats:
        return np.stack([floats(f"{name}/gamma"), floats(f"{name}/beta")])

    words = floats("embeddings/weight")[None]
    parts = ("self_attention", "attention", "ffn")
    return Layers(
        matrix("self_attention/linear_0"), matrix("self_attention/linear_1"),
        matrix("attention/linear_0"), matrix("attention/linear_2"),
        matrix("ffn/linear_0"), matrix("ffn/linear_1"),
        np.stack(
            [
                np.stack([norm(f"layer_{number}/{part}/layer_norm") for part in parts])
                for number in range(count)
            ]
        ),
        norm("layer_norm"), _bytes(words, np.zeros(words.shape[:2], np.float32)),
        floats("position_encodings/encodings"),
    )  # fmt: skip


def _sound_weights(held: dict[str, Any]) -> list[tuple[Floats, Floats]]:
    """Return for each layer what makes keys and values of the sound."""
    names = sorted(
        (name for name in held if name.endswith("/attention/linear_1/weight")),
        key=lambda name: int(name.split("/")[0].removeprefix("layer_")),
    )
    return [
        (held[name].astype(np.float32), held[name.replace("weight", "bias")].astype(np.float32))
        for name in names
        if "self_attention" not in name
    ]


def _bytes(weights: Floats, bias: Floats) -> Matrix:
    scales = np.abs(weights).max(axis=-1) / 127
    rows = np.round(weights / np.maximum(scales, 1e-12)[..., None]).astype(np.int8)
    return Matrix(rows, scales, bias)


@_jit
def _two(weights: Any, x: Any, y: Any) -> Any:
    one, other = np.float32(0), np.float32(0)
    for k in range(len(weights)):
        weight = np.float32(weights[k])
        one += weight * x[k]
        other += weight * y[k]
    return one, other


@_jit
def _one(weights: Any, x: Any) -> Any:
    total = np.float32(0)
    for k in range(len(weights)):
        total += np.float32(weights[k]) * x[k]
    return total


@_jit
def _multiply(matrix: Any, layer: int, x: Any, out: Any) -> None:
    """Write the products of a layer's matrix and some vectors, with the bias."""
    rows, scales, bias = matrix.rows[layer], matrix.scales[layer], matrix.bias[layer]
    many = len(x)
    for row in range(len(rows)):
        scale, addend = scales[row], bias[row]
        token = 0
        while token + 1 < many:  # two at once: reading the weights is what takes time
            one, other = _two(rows[row], x[token], x[token + 1])
            out[token, row] = scale * one + addend
            out[token + 1, row] = scale * other + addend
            token += 2
        if token < many:
            out[token, row] = scale * _one(rows[row], x[token]) + addend


@_jit
def _normed(x: Any, norm: Any, out: Any) -> None:
    for token in range(len(x)):
        mean, square = np.float32(0), np.float32(0)
        for k in range(x.shape[1]):
            mean += x[token, k]
        mean /= np.float32(x.shape[1])
        for k in range(x.shape[1]):
            square += (x[token, k] - mean) ** 2
        factor = np.float32(1) / np.sqrt(square / np.float32(x.shape[1]) + _LEAST)
        for k in range(x.shape[1]):
            out[token, k] = (x[token, k] - mean) * factor * norm[0, k] + norm[1, k]


@_jit
def _attend(asked: Any, keys: Any, values: Any, length: int, weights: Any, out: Any) -> None:
    """Write what one head sees of so many places.

    Args:
        asked: shape (head,), scaled.
        keys: (places, head).
        values: Alike.
        length: How many places.
        weights: Room, (places,).
        out: (head,).
    """
    most, total, head = np.float32(-1e30), np.float32(0), len(asked)
    for place in range(length):
        score = np.float32(0)
        for k in range(head):
            score += asked[k] * keys[place, k]
        weights[place] = score
        most = max(most, score)
    for place in range(length):
        weights[place] = np.exp(weights[place] - most)
        total += weights[place]
    for k in range(head):
        out[k] = 0
    for place in range(length):
        share = weights[place] / total
        for k in range(head):
            out[k] += share * values[place, k]


@_jit
def _look(asked: Any, keys: Any, values: Any, places: int, weights: Any, out: Any) -> None:
    """Write what all heads see of so many places; see `_attend`. Keys: (heads, places, head)."""
    head = keys.shape[2]
    for number in range(len(keys)):
        a, b = number * head, (number + 1) * head
        _attend(asked[a:b], keys[number], values[number], places, weights, out[a:b])


@_jit
def _add(x: Any, more: Any) -> None:
    for token in range(len(x)):
        for k in range(x.shape[1]):
            x[token, k] += more[token, k]


@_jit
def _decode(
    layers: Any, tokens: Any, rows: Any, at: Any, sound: Any, memory: Any, out: Any
) -> None:
    """Write the logits after each token.

    Args:
        layers: Weights.
        tokens: Those of one hypothesis must come in order.
        rows: The hypothesis of each.
        at: The position of each.
        sound: That is heard.
        memory: Of all hypotheses; is written.
        out: (tokens, vocabulary).
    """
    many, width, head = len(tokens), layers.places.shape[1], memory.keys.shape[4]
    scale = np.float32(1) / np.sqrt(np.float32(head))
    x, normed = np.empty((many, width), np.float32), np.empty((many, width), np.float32)
    asked = np.empty((many, 3 * width), np.float32)
    seen, product = np.empty_like(x), np.empty_like(x)
    wide = np.empty((many, layers.wide.rows.shape[1]), np.float32)
    weights = np.empty(max(sound.keys.shape[2], memory.keys.shape[3]), np.float32)
    for token in range(many):
        word = layers.words.rows[0, tokens[token]]
        factor = layers.words.scales[0, tokens[token]]
        for k in range(width):
            x[token, k] = np.float32(word[k]) * factor + layers.places[at[token], k]
    for layer in range(len(layers.norms)):
        keys, values = memory.keys[layer], memory.values[layer]
        _normed(x, layers.norms[layer, 0], normed)
        _multiply(layers.asked, layer, normed, asked)
        for token in range(many):
            row, place = rows[token], at[token]
            for k in range(width):
                asked[token, k] *= scale
                keys[row, k // head, place, k % head] = asked[token, width + k]
                values[row, k // head, place, k % head] = asked[token, 2 * width + k]
        for token in range(many):
            row = rows[token]
            _look(asked[token, :width], keys[row], values[row], at[token] + 1, weights, seen[token])
        _multiply(layers.answered, layer, seen, product)
        _add(x, product)
        _normed(x, layers.norms[layer, 1], normed)
        _multiply(layers.heard, layer, normed, product)
        for token in range(many):
            for k in range(width):
                product[token, k] *= scale
            _look(product[token], sound.keys[layer], sound.values[layer], sound.keys.shape[2],
                  weights, seen[token])  # fmt: skip
        _multiply(layers.told, layer, seen, product)
        _add(x, product)
        _normed(x, layers.norms[layer, 2], normed)
        _multiply(layers.wide, layer, normed, wide)
        for token in range(many):
            for k in range(wide.shape[1]):
                wide[token, k] = _gelu(wide[token, k])
        _multiply(layers.narrow, layer, wide, product)
        _add(x, product)
    _normed(x, layers.last, normed)
    _multiply(layers.words, 0, normed, out)


@_jit
def _gelu(x: Any) -> Any:
    return np.float32(0.5) * x * (np.float32(1) + np.float32(_erf(x * np.float32(0.70710678))))


@_jit
def _erf(x: Any) -> Any:
    """Return the error function to 2e-7 (Abramowitz and Stegun, 1964, 7.1.26)."""
    size = abs(x)
    t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * size)
    series = np.float32(1.061405429)
    series = series * t - np.float32(1.453152027)
    series = series * t + np.float32(1.421413741)
    series = series * t - np.float32(0.284496736)
    series = series * t + np.float32(0.254829592)
    found = np.float32(1) - series * t * np.exp(-size * size)
    return found if x >= 0 else -found
