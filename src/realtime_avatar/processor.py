"""What this processor can do."""

import platform
from functools import cache
from typing import Any, cast


@cache
def features() -> dict[str, bool]:
    """Return what this processor can do, in LLVM's names; nothing unless it is an x86 of 64 bits.

    Nothing either if Numba is told that it is another.
    """
    import numba  # takes a while
    from llvmlite import binding

    if platform.machine() not in ("x86_64", "AMD64") or cast("Any", numba).config.CPU_NAME:
        return {}
    return dict(cast("Any", binding).get_host_cpu_features())


def lanes() -> int:
    """Return to how many sums its 8-bit dot products (VNNI) add at once; 0 without such."""
    has = features()
    if has.get("avx512f") and has.get("avx512vnni"):
        return 16
    return 8 if has.get("avxvnni") else 0


def computes_chats() -> bool:
    """Return whether it has what `thinking.local` is computed with."""
    return all(features().get(name) for name in ("avx2", "f16c", "fma"))
