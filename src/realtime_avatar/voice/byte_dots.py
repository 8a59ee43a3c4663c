"""Sums of bytes' products with 8-bit dot products (VNNI), as machine code for Numba.

One instruction multiplies bytes and adds four products to a sum of 32 bits, so that all sums
stay in registers, and weights may have all of their 8 bits.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils

_DEPTH: Final = 4  # channels that one step takes in


def emit(
    builder: Any, wide: int, count: int, columns: int, rows: Any, row: Any, tap: Any,
    weights: Any, taps: Any, steps: Any, out: Any,
) -> None:  # fmt: skip
    """Emit the sums of `count` x `columns`.

    Args:
        builder: LLVM's.
        wide: See `processor.lanes`, by which `columns` can be divided.
        count: Rows.
        columns: Channels out.
        rows: Address of the first byte of the first row, unsigned.
        row: Bytes from a row to the next.
        tap: Bytes from a row's first tap to its next.
        weights: Address of the columns' packed weights.
        taps: Of them, not 0.
        steps: Of four bytes, in a tap, not 0.
        out: Address of the sums, int32 [count, columns].
    """
    word, size = ir.IntType(32), rows.type
    words, vectors = ir.VectorType(word, wide), columns // wide
    kind = ir.FunctionType(words, [words] * 3)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * wide}"
    dot = cgutils.get_or_insert_function(builder.module, kind, name)

    def at(address: Any, bytes_: int) -> Any:
        return builder.add(address, ir.Constant(size, bytes_))

    def load(address: Any, what: Any) -> Any:
        return builder.load(builder.inttoptr(address, what.as_pointer()), align=1)

    def begin(label: str, sums: list[Any]) -> tuple[Any, list[Any]]:
        """Begin a loop; return its counter, and the sums as they are in it."""
        start, block = builder.block, builder.append_basic_block(label)
        builder.branch(block)
        builder.position_at_end(block)
        counter, held = builder.phi(size), [builder.phi(words) for _ in sums]
        counter.add_incoming(ir.Constant(size, 0), start)
        for one, value in zip(held, sums, strict=True):
            one.add_incoming(value, start)
        return counter, held

    def end(counter: Any, to: Any, held: list[Any], sums: list[Any]) -> None:
        following = at(counter, 1)
        for one, value in zip([counter, *held], [following, *sums], strict=True):
            one.add_incoming(value, builder.block)
        after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", following, to), counter.parent, after)
        builder.position_at_end(after)

    nothing, none = ir.Constant(words, [0] * wide), ir.Constant(words, ir.Undefined)
    everywhere = ir.Constant(words, [0] * wide)
    panel = columns * _DEPTH
    at_tap, outer = begin("taps", [nothing] * count * vectors)
    first = builder.add(rows, builder.mul(at_tap, tap))
    place = builder.add(weights, builder.mul(at_tap, builder.mul(steps, ir.Constant(size, panel))))
    at_step, inner = begin("steps", outer)
    here = builder.add(place, builder.mul(at_step, ir.Constant(size, panel)))
    factors = [load(at(here, 4 * wide * vector), words) for vector in range(vectors)]
    byte = builder.add(first, builder.mul(at_step, ir.Constant(size, _DEPTH)))
    sums = list[Any]()
    for number in range(count):
        value = load(builder.add(byte, builder.mul(row, ir.Constant(size, number))), word)
        one = builder.insert_element(none, value, ir.Constant(word, 0))
        bytes_ = builder.shuffle_vector(one, none, everywhere)
        for vector, factor in enumerate(factors):
            sums.append(builder.call(dot, [inner[number * vectors + vector], bytes_, factor]))
    end(at_step, steps, inner, sums)
    end(at_tap, taps, outer, sums)
    for number, value in enumerate(sums):
        pointer = builder.inttoptr(at(out, 4 * wide * number), words.as_pointer())
        builder.store(value, pointer, align=1)
