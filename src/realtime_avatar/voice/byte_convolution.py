"""Convolutions of bytes over time, on x86 with AVX2.

Twelve sums of eight lanes stay in registers, for six moments and sixteen channels, and nothing is
unfolded: with channels innermost the input of one moment's sum is a run of bytes for each tap.
Two instructions of three would only widen what has been multiplied; where weights are small
enough, sums stay in 16 bits for up to eight steps, and are widened once. ONNX Runtime's kernel
takes twice as long on a processor without 8-bit dot products (VNNI); with them see `byte_dots`.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from realtime_avatar.processor import features, lanes
from realtime_avatar.voice.byte_dots import emit

WIDE: Final = lanes()
"""Sums of 8-bit dot products that this processor adds to at once; 0 without such."""

ROWS: Final = 12 if WIDE == 16 else 6
"""Moments that are summed at once: as many as keep its registers busy."""

_VECTORS: Final = 2
_LANES: Final = 8  # of 32 bits
_COLUMNS: Final = _VECTORS * _LANES  # channels that are summed at once
_DEPTH: Final = 4  # channels that one step takes in
_GROUPS: Final = (8, 4, 2)


def supported() -> bool:
    """Return whether this processor can do it, and Numba is not told that it is another."""
    return features().get("avx2", False)


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights in the order in which they are read.

    Attributes:
        bytes: [channels out / 16, taps, channels in / 4, 16, 4].
        groups: Steps of four channels whose products are summed in 16 bits, [channels out / 16]:
            as many as cannot overflow, whatever the input: 8 for two thirds of Kokoro's weights.
            Without meaning where there are dot products.
    """

    bytes: NDArray[np.int8]
    groups: NDArray[np.int64]


def packed(weights: NDArray[np.int8]) -> Packed:
    """Pack weights.

    Args:
        weights: [taps, channels in, channels out], from -64 to 64 without dot products; the
            channels are multiples of 4 and of 16.
    """
    taps, before, after = weights.shape
    split = weights.reshape(taps, before // _DEPTH, _DEPTH, after // _COLUMNS, _COLUMNS)
    ordered = np.ascontiguousarray(split.transpose(3, 0, 1, 4, 2))
    groups = np.array([_group(panel) for panel in ordered], np.int64)
    return Packed(ordered, groups)


def _group(panel: NDArray[np.int8]) -> int:
    taps, steps, columns, depth = panel.shape
    for group in _GROUPS:
        if steps % group == 0:
            summed = panel.reshape(taps, steps // group, group, columns, depth // 2, 2)
            most = np.maximum(summed, 0).sum(axis=(2, 5), dtype=np.int64)
            least = np.minimum(summed, 0).sum(axis=(2, 5), dtype=np.int64)
            if max(most.max(), -least.min()) * 255 <= np.iinfo(np.int16).max:
                return group
    return 1


def summing(group: int, wide: int = WIDE) -> Any:
    """Return a function of Numba's that sums the products of `ROWS` x 16.

    Args:
        group: See `Packed`.
        wide: By how many dot products; 0 without.
    """

    def sums(
        typingctx: Any, rows: Any, row: Any, tap: Any, weights: Any, taps: Any, steps: Any, out: Any
    ) -> Any:
        """Sum.

        Args:
            typingctx: Numba's.
            rows: Address of the first byte of the first row, unsigned.
            row: Bytes from a row to the next.
            tap: Bytes from a row's first tap to its next.
            weights: Address of the columns' packed weights.
            taps: Of them.
            steps: Of four bytes, in a tap; a multiple of `group`, not 0.
            out: Address of the sums, int32 [`ROWS`, 16].
        """
        size = numba.types.intp
        kind = numba.types.void(size, size, size, size, size, size, size)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if wide:
                emit(builder, wide, ROWS, _COLUMNS, *args)
            else:
                _emit(builder, group, *args)
            return context.get_dummy_value()

        return kind, code

    return intrinsic(sums)


def _emit(
    builder: Any, group: int, rows: Any, row: Any, tap: Any, weights: Any, taps: Any, steps: Any,
    out: Any,
) -> None:  # fmt: skip
    word, byte, short = ir.IntType(32), ir.IntType(8), ir.IntType(16)
    size = rows.type
    words, quads = ir.VectorType(word, _LANES), ir.VectorType(byte, _LANES * _DEPTH)
    shorts = ir.VectorType(short, _LANES * 2)
    none = ir.Constant(words, ir.Undefined)
    everywhere = ir.Constant(words, [0] * _LANES)
    ones = ir.Constant(shorts, [1] * _LANES * 2)
    nothing = ir.Constant(words, [0] * _LANES)

    def constant(value: int) -> Any:
        return ir.Constant(size, value)

    def call(name: str, result: Any, *args: Any) -> Any:
        kind = ir.FunctionType(result, [arg.type for arg in args])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    def load(address: Any, kind: Any) -> Any:
        return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)

    def begin(name: str) -> Any:
        """Begin a loop; return its counter."""
        start, block = builder.block, builder.append_basic_block(name)
        builder.branch(block)
        builder.position_at_end(block)
        counter = builder.phi(size)
        counter.add_incoming(constant(0), start)
        return counter

    def end(counter: Any, by: int, to: Any) -> None:
        following = builder.add(counter, constant(by))
        counter.add_incoming(following, builder.block)
        after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", following, to), counter.parent, after)
        builder.position_at_end(after)

    def broadcast(address: Any) -> Any:
        one = builder.insert_element(none, load(address, word), ir.Constant(word, 0))
        return builder.bitcast(builder.shuffle_vector(one, none, everywhere), quads)

    # Sums of 16 bits take all registers; those of 32 are in memory.
    places = [builder.add(out, constant(at * _LANES * 4)) for at in range(ROWS * _VECTORS)]
    places = [builder.inttoptr(place, words.as_pointer()) for place in places]
    for place in places:
        builder.store(nothing, place, align=1)
    step = _COLUMNS * _DEPTH
    at_tap = begin("taps")
    first = builder.add(rows, builder.mul(at_tap, tap))
    panel = builder.add(weights, builder.mul(at_tap, builder.mul(steps, constant(step))))
    at = begin("steps")
    sums: list[Any] = []
    for number in range(group):
        now = builder.add(at, constant(number))
        place = builder.add(panel, builder.mul(now, constant(step)))
        factors = [
            load(builder.add(place, constant(vector * _LANES * _DEPTH)), quads)
            for vector in range(_VECTORS)
        ]
        address = builder.add(first, builder.mul(now, constant(_DEPTH)))
        products: list[Any] = []
        for row_at in range(ROWS):
            bytes_ = broadcast(builder.add(address, builder.mul(row, constant(row_at))))
            products += [
                call("llvm.x86.avx2.pmadd.ub.sw", shorts, bytes_, factor) for factor in factors
            ]
        if sums:
            products = [builder.add(*pair) for pair in zip(sums, products, strict=True)]
        sums = products
    for place, pairs in zip(places, sums, strict=True):
        fours = call("llvm.x86.avx2.pmadd.wd", words, pairs, ones)
        total = builder.add(builder.load(place, align=1), fours)
        builder.store(total, place, align=1)
    end(at, group, steps)
    end(at_tap, 1, taps)


_sums_1, _sums_2, _sums_4, _sums_8 = (summing(group) for group in (1, 2, 4, 8))


@cast("Any", numba).njit(cache=True, nogil=True, fastmath=True)
def convolve(
    x: NDArray[np.uint8],
    weights: NDArray[np.int8],
    groups: NDArray[np.int64],
    dilation: int,
    scale: NDArray[np.float32],
    shift: NDArray[np.float32],
    out: NDArray[np.float32],
    add: bool,
) -> None:
    """Convolve bytes, and make numbers of the sums.

    Args:
        x: [time + (taps - 1) * dilation + `ROWS`, channels]; what is there behind its end does
            not matter.
        weights: The bytes of `Packed`.
        groups: Of it.
        dilation: Moments between two taps.
        scale: [channels out]; with `shift` and the sum s, the result is s * scale + shift.
        shift: [channels out].
        out: [time, channels out]; is written.
        add: Whether the result is added to what stands there.
    """
    channels = x.shape[1]
    taps = weights.shape[1]
    sums = np.empty((ROWS, _COLUMNS), np.int32)
    panel = weights[0].size
    tap, steps, sums_at = dilation * channels, channels // _DEPTH, sums.ctypes.data
    for start in range(0, out.shape[0], ROWS):
        rows = min(ROWS, out.shape[0] - start)
        rows_at = x.ctypes.data + start * channels
        for column in range(weights.shape[0]):
            panel_at = weights.ctypes.data + column * panel
            group = groups[column]
            if group == 8:
                _sums_8(rows_at, channels, tap, panel_at, taps, steps, sums_at)
            elif group == 4:
                _sums_4(rows_at, channels, tap, panel_at, taps, steps, sums_at)
            elif group == 2:
                _sums_2(rows_at, channels, tap, panel_at, taps, steps, sums_at)
            else:
                _sums_1(rows_at, channels, tap, panel_at, taps, steps, sums_at)
            base = column * _COLUMNS
            for row in range(rows):
                for lane in range(_COLUMNS):
                    value = sums[row, lane] * scale[base + lane] + shift[base + lane]
                    if add:
                        out[start + row, base + lane] += value
                    else:
                        out[start + row, base + lane] = value
