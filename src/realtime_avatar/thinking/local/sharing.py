"""How threads share work inside machine code for Numba.

Whoever has a core takes the next piece. Where others also want a core, the system puts threads
aside for milliseconds, and a pass has hundreds of phases of a tenth of that: so nobody waits for
a thread. If one has come late, or never, the others have done its work; if it was put aside with
a piece, they do that piece again. Only who claims a piece first writes what came out of it.
"""

from typing import Any, Final, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

_LINE: Final = 16  # numbers of 64 bits, two lines of a cache: neighbours are fetched together
_SPINS: Final = 600  # looks at what others still do, until it is done again: about a piece's time


_DONE: Final = _LINE  # where a phase counts the pieces that are done; those taken come first
_CLAIMS: Final = 2 * _LINE  # and where each has a number of its own


def counters(phases: int, pieces: int) -> NDArray[np.int64]:
    """Return the counters of so many phases of at most so many pieces, none of them taken."""
    return np.zeros((phases, _CLAIMS + pieces), np.int64)


_intrinsic: Any = intrinsic


@_intrinsic
def _add(typingctx: Any, address: Any) -> Any:
    """Add 1 to a number; return what it was. All that was written before is seen by others."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        pointer = builder.inttoptr(args[0], word.as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(word, 1), "seq_cst")

    return numba.types.intp(numba.types.intp), code


@_intrinsic
def _look(typingctx: Any, address: Any) -> Any:
    """Return a number that others change."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return numba.types.intp(numba.types.intp), code


@_intrinsic
def _pause(typingctx: Any) -> Any:
    """Leave the core to the other thread of it for a moment."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        name = "llvm.x86.sse2.pause"
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return numba.types.void(), code


@_intrinsic
def _give_way(typingctx: Any) -> Any:
    """Let others that wait for this core run first."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return numba.types.void(), code


_jit: Any = cast("Any", numba).njit(cache=True, nogil=True)


@_jit
def take(counters: Any, phase: int, pieces: int) -> int:
    """Return a piece of a phase's work to do, or -1 when all have been taken."""
    piece = _add(counters[phase].ctypes.data)
    return piece if piece < pieces else -1


@_jit
def claim(counters: Any, phase: int, piece: int) -> bool:
    """Return whether what came out of a piece is to be written: nobody else has come first."""
    return _add(counters[phase].ctypes.data + 8 * (_CLAIMS + piece)) == 0


@_jit
def done(counters: Any, phase: int) -> None:
    """Say that a piece is done."""
    _add(counters[phase].ctypes.data + 8 * _DONE)


@_jit
def wait(counters: Any, phase: int, pieces: int) -> int:
    """Wait until all pieces of a phase are done, or one has taken long.

    Returns:
        That piece, which may be done again; -1 when all are done.
    """
    start = counters[phase].ctypes.data
    spins = 0
    while _look(start + 8 * _DONE) < pieces:
        spins += 1
        if spins < _SPINS:
            _pause()
            continue
        for piece in range(pieces - 1, -1, -1):
            if _look(start + 8 * (_CLAIMS + piece)) == 0:
                return piece
        _give_way()  # to who has claimed the last one, and is about to write
    return -1


@_jit
def take_or_help(counters: Any, phase: int, pieces: int) -> int:
    """Return a piece to do, or to do again as it takes long; -1 when all are done."""
    piece = take(counters, phase, pieces)
    return piece if piece >= 0 else wait(counters, phase, pieces)


@_jit
def join(counters: Any, phase: int, pieces: int) -> None:
    """Wait until all pieces of a phase are done, of which none may be done twice."""
    spins = 0
    while _look(counters[phase].ctypes.data + 8 * _DONE) < pieces:
        spins += 1
        if spins < _SPINS:
            _pause()
        else:
            _give_way()
