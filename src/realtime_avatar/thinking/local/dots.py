"""Products of weights of four or six bits with bytes, as machine code for Numba.

What a small model takes on a processor is the time in which its weights come from memory, once
for each token. So they are kept small, are read in the order in which they lie, and are
multiplied with the bytes of several tokens while they are in registers.
"""

from typing import Any, Final

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from realtime_avatar.processor import lanes

ROWS: Final = 16
"""Rows of weights that lie beside each other, one in each lane."""

BLOCK: Final = 32
"""Weights of a row that are computed together."""

SHARING: Final = {4: 32, 6: 16}
"""Weights of a row that share a scale."""

BYTES: Final = {4: ROWS * (BLOCK // 2 + 4), 6: ROWS * (BLOCK + 4)}
"""Bytes of a block of `ROWS` rows: weights, and two numbers of 16 bits for each row (`packing`)."""

WIDE: Final = lanes()
"""Lanes of this processor's 8-bit dot products; 0 without such."""

TOKENS: Final = (1, 2, 4, 8) if WIDE == ROWS else (1, 2, 4)
"""Of how many tokens at once there are products: as many as there are registers for."""

_AHEAD: Final = 2560  # bytes; without asking, a core got 7 of the 11 GB/s that it can have
_LINE: Final = 64  # bytes of a line of the cache
_STEP: Final = 4  # weights of a row that one instruction takes
_MIDDLE: Final = 32.0  # of weights of six bits
_IN_16: Final = {4: 8, 6: 2}  # steps whose products are summed in 16 bits: 2 x 2 x 63 x 127 < 2^15


def product(bits: int, tokens: int, wide: int = WIDE) -> Any:
    """Return a function of Numba's that multiplies `ROWS` rows with the bytes of tokens.

    Args:
        bits: Of the weights, 4 or 6.
        tokens: How many.
        wide: Lanes of 8-bit dot products; 0: without them.
    """

    def products(
        typingctx: Any, weights: Any, blocks: Any, x: Any, row: Any, scales: Any, sums: Any,
        every: Any, out: Any, step: Any,
    ) -> Any:  # fmt: skip
        """Multiply.

        Args:
            typingctx: Numba's.
            weights: Address of the rows' weights, packed.
            blocks: Of a row, not 0.
            x: Address of the first token's bytes, signed, from -127 to 127.
            row: Bytes from a token to the next.
            scales: Address of the first token's scales, float32, one for each block.
            sums: Address of the sums of its bytes that meet weights of one scale, times theirs.
            every: Bytes from a token's scales to the next's.
            out: Address of the first token's products, float32 [`ROWS`].
            step: Bytes from there to the next's.
        """
        size = numba.types.intp
        kind = numba.types.void(*[size] * 9)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            for half in range(ROWS // (wide or 8)):
                _Code(builder, bits, tokens, wide, half).emit(*args)
            return context.get_dummy_value()

        return kind, code

    return intrinsic(products)


def everywhere(builder: Any, number: Any, vector: Any) -> Any:
    """Emit a vector that has a number in each lane."""
    none = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(none, number, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, none, lanes)


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a times b plus c, vectors of float32, rounded once."""
    kind = ir.FunctionType(c.type, [a.type, b.type, c.type])
    name = f"llvm.fma.v{c.type.count}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


class _Code:
    def __init__(self, builder: Any, bits: int, tokens: int, wide: int, half: int) -> None:
        self.builder, self.bits, self.tokens = builder, bits, tokens
        self.wide, self.lanes = wide, wide or 8
        self.first = half * self.lanes
        self.words = ir.VectorType(ir.IntType(32), self.lanes)
        self.floats = ir.VectorType(ir.FloatType(), self.lanes)
        self.quads = ir.VectorType(ir.IntType(8), self.lanes * _STEP)
        self.shorts = ir.VectorType(ir.IntType(16), self.lanes * 2)
        self.size = ir.IntType(64)

    def emit(
        self, weights: Any, blocks: Any, x: Any, row: Any, scales: Any, sums: Any, every: Any,
        out: Any, step: Any,
    ) -> None:  # fmt: skip
        """Emit one vector of lanes."""
        builder = self.builder
        start, loop = builder.block, builder.append_basic_block("blocks")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(self.size)
        at.add_incoming(ir.Constant(self.size, 0), start)
        totals = [builder.phi(self.floats) for _ in range(self.tokens)]
        for total in totals:
            total.add_incoming(self.all(self.floats, 0.0), start)
        place = builder.add(weights, builder.mul(at, ir.Constant(self.size, BYTES[self.bits])))
        self.fetch(self.plus(place, self.number(_AHEAD)))
        bytes_ = builder.add(x, builder.mul(at, ir.Constant(self.size, BLOCK)))
        rows = [self.plus(bytes_, builder.mul(row, self.number(n))) for n in range(self.tokens)]
        after = totals
        parts = BLOCK // SHARING[self.bits]
        four = builder.mul(at, self.number(4))
        for part in range(parts):
            behind = BYTES[self.bits] - 4 * ROWS
            scale = self.halves(place, behind + 2 * ROWS * part)
            if self.bits == 4:
                least = self.halves(place, behind + 2 * ROWS)
            else:
                least = builder.fmul(scale, self.all(self.floats, -_MIDDLE))
            for token, dot in enumerate(self.dots(place, rows, part, parts)):
                begun = builder.mul(every, self.number(token))
                times = self.broadcast(self.plus(scales, self.plus(four, begun)), self.floats)
                begun = builder.mul(self.plus(four, begun), self.number(parts))
                begun = self.plus(begun, self.number(4 * part))
                sum_ = self.broadcast(self.plus(sums, begun), self.floats)
                value = builder.fmul(builder.sitofp(dot, self.floats), times)
                total = self.fma(value, scale, after[token])
                after = [*after[:token], self.fma(least, sum_, total), *after[token + 1 :]]
        following = builder.add(at, self.number(1))
        end = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", following, blocks), loop, end)
        for phi, value in zip([at, *totals], [following, *after], strict=True):
            phi.add_incoming(value, builder.block)
        builder.position_at_end(end)
        for token, value in enumerate(after):
            address = self.plus(out, builder.mul(step, self.number(token)))
            address = self.plus(address, self.number(4 * self.first))
            builder.store(value, builder.inttoptr(address, self.floats.as_pointer()), align=4)

    def dots(self, place: Any, rows: list[Any], part: int, parts: int) -> list[Any]:
        """Return the sums of the products of a part of a block for each token, int32."""
        builder, steps = self.builder, BLOCK // _STEP // parts
        sums = [self.all(self.words, 0)] * self.tokens
        pairs: list[Any] = [None] * self.tokens  # of 16 bits, where there are no dot products
        for at, factor in enumerate(self.factors(place, steps * part, steps), 1):
            behind = _STEP * (steps * part + at - 1)
            for token, address in enumerate(rows):
                bytes_ = self.broadcast(self.plus(address, self.number(behind)), self.words)
                if self.wide:
                    name = f"llvm.x86.avx512.vpdpbusd.{32 * self.wide}"
                    sums[token] = self.call(name, self.words, sums[token], factor, bytes_)
                    continue
                quads = [builder.bitcast(one, self.quads) for one in (factor, bytes_)]
                pair = self.call("llvm.x86.avx2.pmadd.ub.sw", self.shorts, *quads)
                before = pairs[token]
                pairs[token] = pair if before is None else builder.add(before, pair)
                if at % min(_IN_16[self.bits], steps) == 0:
                    sums[token] = builder.add(sums[token], self.widened(pairs[token]))
                    pairs[token] = None
        return sums

    def factors(self, place: Any, first: int, count: int) -> list[Any]:
        """Return a block's weights from one step on, a step of four after the other, as bytes."""
        builder, factors = self.builder, list[Any]()
        each = 2 if self.bits == 4 else 1  # steps in a byte
        for at in range(first // each, (first + count) // each):
            address = self.plus(place, self.number((at * ROWS + self.first) * _STEP))
            bytes_ = self.load(address, self.words, 1)
            if self.bits == 4:
                low = self.all(self.words, 0x0F0F0F0F)
                high = builder.lshr(bytes_, self.all(self.words, 4))
                factors += [builder.and_(bytes_, low), builder.and_(high, low)]
            else:
                factors.append(bytes_)
        return factors

    def widened(self, pair: Any) -> Any:
        return self.call("llvm.x86.avx2.pmadd.wd", self.words, pair, self.all(self.shorts, 1))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return fma(self.builder, a, b, c)

    def fetch(self, place: Any) -> None:
        """Have a block's bytes brought from memory."""
        address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        fetch = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        how = [ir.Constant(number, value) for value in (0, 3, 1)]
        for at in range(0, BYTES[self.bits], _LINE):
            line = self.builder.inttoptr(self.plus(place, self.number(at)), address)
            self.builder.call(fetch, [line, *how])

    def halves(self, place: Any, behind: int) -> Any:
        address = self.plus(place, self.number(behind + 2 * self.first))
        kind = ir.VectorType(ir.HalfType(), self.lanes)
        return self.builder.fpext(self.load(address, kind, 2), self.floats)

    def broadcast(self, address: Any, vector: Any) -> Any:
        return everywhere(self.builder, self.load(address, vector.element, 1), vector)

    def call(self, name: str, result: Any, *args: Any) -> Any:
        kind = ir.FunctionType(result, [arg.type for arg in args])
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, name), args
        )

    def load(self, address: Any, kind: Any, align: int) -> Any:
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=align)

    def plus(self, one: Any, other: Any) -> Any:
        return self.builder.add(one, other)

    def number(self, value: int) -> Any:
        return ir.Constant(self.size, value)

    def all(self, kind: Any, value: float) -> Any:
        return ir.Constant(kind, [value] * kind.count)
