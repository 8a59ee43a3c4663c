"""How a token looks back at others, as machine code for Numba.

Keys and values are float16. The keys of `BLOCK` tokens lie number by number beside each other, one
token in each lane, so that nothing is summed across lanes; each is read once for `TOGETHER` heads.
"""

import math
from typing import Any, Final, cast

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from realtime_avatar.thinking.local.activations import TOGETHER, exp
from realtime_avatar.thinking.local.dots import everywhere, fma

BLOCK: Final = 16
"""Tokens whose keys lie beside each other, and numbers of a value that are computed at once."""

_jit: Any = cast("Any", numba).njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
_intrinsic: Any = intrinsic
_SIZE: Final = ir.IntType(64)
_FLOATS: Final = ir.VectorType(ir.FloatType(), BLOCK)
_HALVES: Final = ir.VectorType(ir.HalfType(), BLOCK)


def blocks(tokens: int) -> int:
    """Return in how many blocks the keys of so many tokens lie."""
    return -(-tokens // BLOCK)


@_intrinsic
def _sums(
    typingctx: Any, rows: Any, count: Any, row: Any, factors: Any, each: Any, step: Any,
    out: Any, line: Any,
) -> Any:  # fmt: skip
    """Sum rows of `BLOCK` float16, each times a factor, for `TOGETHER` lists of factors.

    Args:
        typingctx: Numba's.
        rows: Address of the first row.
        count: Of rows, not 0.
        row: Bytes from a row to the next.
        factors: Address of the first list's first, float32.
        each: Bytes from a factor to the next.
        step: Bytes from a list to the next.
        out: Address of the first list's sums, float32 [`BLOCK`].
        line: Bytes from there to the next's.
    """
    size = numba.types.intp
    kind = numba.types.void(*[size] * 8)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _emit(builder, *args)
        return context.get_dummy_value()

    return kind, code


def _emit(
    builder: Any, rows: Any, count: Any, row: Any, factors: Any, each: Any, step: Any,
    out: Any, line: Any,
) -> None:  # fmt: skip
    def number(value: int) -> Any:
        return ir.Constant(_SIZE, value)

    def at(address: Any, kind: Any) -> Any:
        return builder.inttoptr(address, kind.as_pointer())

    start, loop = builder.block, builder.append_basic_block("rows")
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(_SIZE)
    index.add_incoming(number(0), start)
    sums = [builder.phi(_FLOATS) for _ in range(TOGETHER)]
    for one in sums:
        one.add_incoming(ir.Constant(_FLOATS, [0.0] * BLOCK), start)
    halves = builder.load(at(builder.add(rows, builder.mul(index, row)), _HALVES), align=2)
    numbers = builder.fpext(halves, _FLOATS)
    first = builder.add(factors, builder.mul(index, each))
    after: list[Any] = []
    for place, before in enumerate(sums):
        address = builder.add(first, builder.mul(step, number(place)))
        factor = builder.load(at(address, ir.FloatType()), align=4)
        after.append(fma(builder, numbers, everywhere(builder, factor, _FLOATS), before))
    following = builder.add(index, number(1))
    end = builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
    for phi, value in zip([index, *sums], [following, *after], strict=True):
        phi.add_incoming(value, loop)
    builder.position_at_end(end)
    for place, value in enumerate(after):
        address = builder.add(out, builder.mul(line, number(place)))
        builder.store(value, at(address, _FLOATS), align=4)


@_intrinsic
def _half(typingctx: Any, number: Any) -> Any:
    """Return the nearest float16 of a float32, as Numba has it: as uint16."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return numba.types.uint16(numba.types.float32), code


@_jit
def _turned(row: Any, cosines: Any, sines: Any, interleaved: int, out: Any) -> None:
    """Turn a head's numbers by its position."""
    half = cosines.size
    if interleaved:
        for at in range(half):
            a, b = row[2 * at], row[2 * at + 1]
            out[2 * at] = a * cosines[at] - b * sines[at]
            out[2 * at + 1] = a * sines[at] + b * cosines[at]
    else:
        for at in range(half):
            a, b = row[at], row[at + half]
            out[at] = a * cosines[at] - b * sines[at]
            out[at + half] = a * sines[at] + b * cosines[at]


@_jit
def _remember(
    shape: Any, weights: Any, bench: Any, own: Any, keys: Any, values: Any, group: int,
    past: int, tokens: int,
) -> None:  # fmt: skip
    """Write the keys and values of tokens; see `attend`."""
    size = shape.head
    key = own.row
    for token in range(tokens):
        at, row = past + token, bench.asked[token]
        first = (shape.heads + group) * size
        cosines, sines = weights.cosines[at], weights.sines[at]
        _turned(row[first : first + size], cosines, sines, shape.interleaved, key)
        first += shape.shared * size
        block, lane = at // BLOCK, at % BLOCK
        for number in range(size):
            keys[group, block, number, lane] = _half(key[number])
            values[group, at, number] = _half(row[first + number])


@_jit
def _ask(
    shape: Any, weights: Any, bench: Any, own: Any, group: int, past: int, first: int, count: int
) -> None:  # fmt: skip
    """Turn queries by their positions, of `count` heads from the first one of a group on."""
    size, each = shape.head, shape.heads // shape.shared
    times = np.float32(1 / math.sqrt(size))
    for query in range(count):
        token, head = (first + query) // each, group * each + (first + query) % each
        asking = bench.asked[token, head * size : head * size + size]
        at = past + token
        cosines, sines = weights.cosines[at], weights.sines[at]
        _turned(asking, cosines, sines, shape.interleaved, own.queries[query])
        for number in range(size):
            own.queries[query, number] *= times


@_jit
def _share(scores: Any, start: int, since: int, at: int, end: int) -> None:
    """Make of scores from `since` to `at` how much is taken of each value; of others nothing is."""
    most = np.float32(-1e30)
    for place in range(since, at + 1):
        most = max(most, scores[place])
    total = np.float32(0)
    for place in range(since, at + 1):
        scores[place] = exp(scores[place] - most)
        total += scores[place]
    times = np.float32(1) / total
    for place in range(since, at + 1):
        scores[place] *= times
    scores[start:since] = 0
    scores[at + 1 : end] = 0


@_jit
def attend(
    shape: Any, weights: Any, bench: Any, own: Any, keys: Any, values: Any, group: int,
    past: int, tokens: int,
) -> None:  # fmt: skip
    """Let the heads of a group look back.

    Args:
        shape: Of the transformer.
        weights: Of it.
        bench: With what is asked.
        own: Of this thread.
        keys: Of this layer, float16 as uint16 [shared, positions / `BLOCK`, head, `BLOCK`]; those
            of the tokens are written.
        values: Alike, [shared, positions, head].
        group: Of heads that share keys.
        past: Tokens before these.
        tokens: How many.
    """
    _remember(shape, weights, bench, own, keys, values, group, past, tokens)
    size, each = shape.head, shape.heads // shape.shared
    block, value = keys[group].ctypes.data, values[group].ctypes.data
    queries, scores, seen = own.queries, own.scores, own.seen
    for first in range(0, tokens * each, TOGETHER):
        count = min(TOGETHER, tokens * each - first)
        _ask(shape, weights, bench, own, group, past, first, count)
        start = max(0, past + first // each + 1 - shape.window)
        end = past + (first + count - 1) // each + 1
        for number in range(start // BLOCK, (end + BLOCK - 1) // BLOCK):
            _sums(
                block + number * size * 2 * BLOCK, size, 2 * BLOCK,
                queries.ctypes.data, 4, queries.strides[0],
                scores.ctypes.data + number * 4 * BLOCK, scores.strides[0],
            )  # fmt: skip
        for query in range(count):
            at = past + (first + query) // each
            _share(scores[query], start, max(0, at + 1 - shape.window), at, end)
        for part in range(size // BLOCK):
            _sums(
                value + start * size * 2 + part * 2 * BLOCK, end - start, 2 * size,
                scores.ctypes.data + 4 * start, 4, scores.strides[0],
                seen.ctypes.data + part * 4 * BLOCK, seen.strides[0],
            )  # fmt: skip
        for query in range(count):
            token, head = (first + query) // each, group * each + (first + query) % each
            for number in range(size):
                bench.seen[token, head * size + number] = seen[query, number]
