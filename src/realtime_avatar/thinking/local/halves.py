"""Numbers of 16 bits, as machine code for Numba, which knows them only as integers."""

from typing import Any

import numba
from llvmlite import ir
from numba.extending import intrinsic

_intrinsic: Any = intrinsic


@_intrinsic
def widened(typingctx: Any, half: Any) -> Any:
    """Return a float16, given as uint16, as float32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return numba.types.float32(numba.types.uint16), code


@_intrinsic
def narrowed(typingctx: Any, number: Any) -> Any:
    """Return a float32 as the nearest float16, as uint16."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return numba.types.uint16(numba.types.float32), code
