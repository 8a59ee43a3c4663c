"""A transformer's passes over a few tokens, as machine code for Numba.

The architecture is Llama's (Touvron et al., 2023), with the biases of Qwen2 (Yang et al., 2024):
root mean square norms, rotary positions, queries that share keys, gated linear units.

Here and in what it calls, numbers are assigned one by one: to assign a slice of an array, Numba
also compiles the words in which it would complain of another shape, for two to three seconds.
"""

from typing import Any, Final, NamedTuple, cast

import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.thinking.local import sharing
from realtime_avatar.thinking.local.activations import PANELS, exp, normed, plain
from realtime_avatar.thinking.local.attention import attend
from realtime_avatar.thinking.local.dots import BYTES, ROWS, TOKENS, product
from realtime_avatar.thinking.local.sharing import claim, done, join, take, take_or_help

MOST: Final = 32
"""Tokens of one pass."""

SPARE: Final = 8
"""Rows behind them: products are of several tokens at once."""

PHASES: Final = 5
"""Of a layer, whose work is shared between threads."""

Q, K, V, O, GATE, UP, DOWN = range(7)  # matrices of a layer  # noqa: E741

_ASK, _ATTEND, _ANSWER, _WIDEN, _NARROW = range(PHASES)  # in their order; all but one multiply
_PIECE: Final = 4  # panels of rows that a thread takes at once
_NARROW_PIECE: Final = 2  # of those that are several times as wide
_jit: Any = cast("Any", numba).njit(cache=True, nogil=True, fastmath=True, error_model="numpy")

_one_4, _two_4, _four_4 = (product(4, tokens) for tokens in (1, 2, 4))
_one_6, _two_6, _four_6 = (product(6, tokens) for tokens in (1, 2, 4))
_GROUP: Final = TOKENS[-1]
_BYTES_4, _BYTES_6 = BYTES[4], BYTES[6]
_most_4, _most_6 = product(4, _GROUP), product(6, _GROUP)


class Shape(NamedTuple):
    """Sizes of a transformer.

    Attributes:
        layers: How many.
        width: Numbers of a token between them.
        heads: That ask.
        shared: Heads that are asked, by several each.
        head: Numbers of a head.
        inner: Numbers in the middle of a layer's second half.
        window: Tokens that one looks back to, itself among them.
        interleaved: Whether positions turn neighbours, not halves of a head; 0 or 1.
        least: That norms add to what they divide by.
    """

    layers: int
    width: int
    heads: int
    shared: int
    head: int
    inner: int
    window: int
    interleaved: int
    least: float


class Weights(NamedTuple):
    """Of all layers.

    Attributes:
        where: Address and bits of each matrix, [layers, 7, 2].
        norms: [layers, 2, width].
        biases: Of queries, keys and values, [layers, (heads + 2 shared) * head].
        cosines: [positions, head / 2].
        sines: Alike.
    """

    where: NDArray[np.int64]
    norms: NDArray[np.float32]
    biases: NDArray[np.float32]
    cosines: NDArray[np.float32]
    sines: NDArray[np.float32]


class Bench(NamedTuple):
    """Where the threads of a pass work together.

    Rows are tokens; there are some more than `MOST`, for products of several tokens at once.

    Attributes:
        x: [tokens, width]: what goes in, and comes out.
        asked: Queries, keys and values, [tokens, (heads + 2 shared) * head].
        seen: [tokens, heads * head].
        middle: [tokens, inner].
        counters: See `sharing.counters`; fresh for each pass.
    """

    x: NDArray[np.float32]
    asked: NDArray[np.float32]
    seen: NDArray[np.float32]
    middle: NDArray[np.float32]
    counters: NDArray[np.int64]


def counters(shape: Shape, more: int, rows: int) -> NDArray[np.int64]:
    """Return counters for all layers, and for products of matrices of at most so many rows."""
    asked = (shape.heads + 2 * shape.shared) * shape.head
    layer = max(asked, shape.inner, shape.width * _PIECE // _NARROW_PIECE) // ROWS
    pieces = max(layer // _PIECE, rows // ROWS // PANELS) + 1
    return sharing.counters(shape.layers * PHASES + more, pieces)


@_jit
def _panel(place: Any, width: int, panel: int, own: Any, tokens: int, out: int, step: int) -> None:
    """Multiply `ROWS` rows of a matrix with the bytes of all tokens.

    Args:
        place: Address and bits of the matrix.
        width: Of a row.
        panel: Which rows.
        own: With the bytes.
        tokens: How many.
        out: Address of the first token's products.
        step: Bytes from there to the next's. There is room for more tokens than there are.
    """
    blocks = width // 32
    row, every = own.bytes.strides[0], own.scales.strides[0]
    first = 0
    while first < tokens:
        left = tokens - first
        x = own.bytes.ctypes.data + first * row
        scales = own.scales.ctypes.data + first * every
        at = out + first * step
        if place[1] == 4:
            weights = place[0] + panel * blocks * _BYTES_4
            sums = own.sums_32.ctypes.data + first * every
            if left == 1:
                _one_4(weights, blocks, x, row, scales, sums, every, at, step)
                first += 1
            elif left == 2:
                _two_4(weights, blocks, x, row, scales, sums, every, at, step)
                first += 2
            elif left <= 4:
                _four_4(weights, blocks, x, row, scales, sums, every, at, step)
                first += 4
            else:
                _most_4(weights, blocks, x, row, scales, sums, every, at, step)
                first += _GROUP
        else:
            weights = place[0] + panel * blocks * _BYTES_6
            sums = own.sums_16.ctypes.data + first * every * 2
            if left == 1:
                _one_6(weights, blocks, x, row, scales, sums, every, at, step)
                first += 1
            elif left == 2:
                _two_6(weights, blocks, x, row, scales, sums, every, at, step)
                first += 2
            elif left <= 4:
                _four_6(weights, blocks, x, row, scales, sums, every, at, step)
                first += 4
            else:
                _most_6(weights, blocks, x, row, scales, sums, every, at, step)
                first += _GROUP


@_jit
def _move(own: Any, panels: int, tokens: int, out: Any, first: int) -> None:
    """Write what came out of a piece, in columns from the first."""
    for panel in range(panels):
        for token in range(tokens):
            for lane in range(ROWS):
                out[token, first + panel * ROWS + lane] = own.out[panel, token, lane]


@_jit
def _prepare(kind: int, shape: Any, norms: Any, bench: Any, own: Any, tokens: int) -> None:
    """Make bytes of what a kind of piece is computed from."""
    if kind == _ASK:
        normed(own, bench.x, tokens, norms[0], shape.least)
    elif kind == _ANSWER:
        plain(own, bench.seen, tokens, shape.heads * shape.head)
    elif kind == _WIDEN:
        normed(own, bench.x, tokens, norms[1], shape.least)
    else:
        plain(own, bench.middle, tokens, shape.inner)


@_jit
def _compute(
    kind: int, shape: Any, where: Any, bias: Any, own: Any, first: int, panels: int, tokens: int
) -> None:
    """Compute a piece of so many panels from the first on; it comes out in `own.out`."""
    asking, asked = shape.heads * shape.head, shape.shared * shape.head
    at, step = np.intp(own.out.ctypes.data), own.out.strides[1]
    for panel in range(first, first + panels):
        row = panel * ROWS
        if kind == _ASK:
            matrix, begun = Q, 0
            if row >= asking + asked:
                matrix, begun = V, asking + asked
            elif row >= asking:
                matrix, begun = K, asking
            _panel(where[matrix], shape.width, (row - begun) // ROWS, own, tokens, at, step)
            out = own.out[panel - first]
            for token in range(tokens):
                for lane in range(ROWS):
                    out[token, lane] += bias[row + lane]
        elif kind == _ANSWER:
            _panel(where[O], asking, panel, own, tokens, at, step)
        elif kind == _WIDEN:
            up = own.out[panel - first + panels]
            _panel(where[GATE], shape.width, panel, own, tokens, at, step)
            _panel(where[UP], shape.width, panel, own, tokens, np.intp(up.ctypes.data), step)
            out = own.out[panel - first]
            for token in range(tokens):
                for lane in range(ROWS):
                    gate = out[token, lane]
                    out[token, lane] = gate / (np.float32(1) + exp(-gate)) * up[token, lane]
        else:
            _panel(where[DOWN], shape.inner, panel, own, tokens, at, step)
        at += own.out.strides[0]


@_jit
def _write(kind: int, bench: Any, own: Any, first: int, panels: int, tokens: int) -> None:
    """Write what came out of a piece; nobody else does."""
    if kind == _ASK:
        _move(own, panels, tokens, bench.asked, first * ROWS)
    elif kind == _WIDEN:
        _move(own, panels, tokens, bench.middle, first * ROWS)
    else:
        for panel in range(panels):
            for token in range(tokens):
                for lane in range(ROWS):
                    at = (first + panel) * ROWS + lane
                    bench.x[token, at] += own.out[panel, token, lane]


@_jit
def _multiply(
    shape: Any, weights: Any, number: int, bench: Any, own: Any, tokens: int, phase: int
) -> None:
    """Take part in multiplying a layer's matrices, of the phase's kind, with all tokens."""
    # Told as an argument, each kind would be compiled by itself.
    kind = phase % PHASES
    where, norms, bias = weights.where[number], weights.norms[number], weights.biases[number]
    each, rows = _PIECE, shape.width
    if kind == _ASK:
        rows = (shape.heads + 2 * shape.shared) * shape.head
    elif kind == _WIDEN:
        rows = shape.inner
    elif kind == _NARROW:
        each = _NARROW_PIECE
    panels = rows // ROWS
    pieces, ready = (panels + each - 1) // each, False
    piece = take_or_help(bench.counters, phase, pieces)
    while piece >= 0:
        if not ready:
            _prepare(kind, shape, norms, bench, own, tokens)
            ready = True
        first = piece * each
        some = min(each, panels - first)
        _compute(kind, shape, where, bias, own, first, some, tokens)
        if claim(bench.counters, phase, piece):
            _write(kind, bench, own, first, some, tokens)
            done(bench.counters, phase)
        piece = take_or_help(bench.counters, phase, pieces)


@_jit
def layers(
    shape: Any, weights: Any, bench: Any, own: Any, keys: Any, values: Any, past: int, tokens: int
) -> None:
    """Take part in all layers' work; return when it is done.

    Args:
        shape: Of the transformer.
        weights: Of it.
        bench: Of the pass; `x` is changed.
        own: Of this thread.
        keys: Of all layers; see `attention.attend`. Those of the tokens are written.
        values: Alike.
        past: Tokens before these.
        tokens: How many, at most `MOST`.
    """
    counters = bench.counters
    for phase in range(shape.layers * PHASES):
        number = phase // PHASES
        if phase % PHASES != _ATTEND:
            _multiply(shape, weights, number, bench, own, tokens, phase)
            continue
        piece = take(counters, phase, shape.shared)
        while piece >= 0:
            attend(shape, weights, bench, own, keys[number], values[number], piece, past, tokens)
            done(counters, phase)
            piece = take(counters, phase, shape.shared)
        join(counters, phase, shape.shared)


@_jit
def products(
    place: Any, width: int, rows: int, norm: Any, least: float, x: Any, tokens: int, own: Any,
    counters: Any, phase: int, out: Any,
) -> None:  # fmt: skip
    """Take part in multiplying a matrix with tokens.

    Args:
        place: Address and bits of the matrix.
        width: Of its rows.
        rows: Of it.
        norm: [width]; empty: they are multiplied as they are.
        least: See `Shape`.
        x: [tokens, width].
        tokens: How many, at most `MOST`.
        own: Of this thread.
        counters: Of the pass.
        phase: Of it.
        out: [`MOST` or more, rows]; is written.
    """
    panels = rows // ROWS
    pieces, ready = (panels + PANELS - 1) // PANELS, False
    piece = take_or_help(counters, phase, pieces)
    while piece >= 0:
        if not ready:
            if norm.size:
                normed(own, x, tokens, norm, least)
            else:
                plain(own, x, tokens, width)
            ready = True
        first = piece * PANELS
        some = min(PANELS, panels - first)
        at, step = np.intp(own.out.ctypes.data), own.out.strides[1]
        for panel in range(first, first + some):
            _panel(place, width, panel, own, tokens, at, step)
            at += own.out.strides[0]
        if claim(counters, phase, piece):
            _move(own, some, tokens, out, first * ROWS)
            done(counters, phase)
        piece = take_or_help(counters, phase, pieces)
