"""Reading GGUF, the file format of llama.cpp's models.

Source: the specification in ggml-org/ggml, docs/gguf.md.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_NUMBERS: Final = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_STRING: Final = 8
_ARRAY: Final = 9
_VERSIONS: Final = (2, 3)

F32: Final = 0
F16: Final = 1
Q4_0: Final = 2
Q4_1: Final = 3
Q8_0: Final = 8
Q4_K: Final = 12
Q6_K: Final = 14

_BLOCKS: Final = {
    F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q4_1: (32, 20), Q8_0: (32, 34), Q4_K: (256, 144),
    Q6_K: (256, 210),
}  # fmt: skip
"""Of each type of numbers that is known here: numbers in a block, and its bytes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers of a file, as they are there.

    Attributes:
        type: How they are written, such as `Q4_K`.
        columns: Numbers in a row.
        rows: Bytes, [rows, bytes of a row], mapped.
    """

    type: int
    columns: int
    rows: NDArray[np.uint8]

    def floats(self) -> NDArray[np.float32]:
        """Return the numbers of one of `F32`, flat."""
        return self.rows.reshape(-1).view(np.float32)


class Gguf:
    """An open file.

    Args:
        path: Of it.

    Attributes:
        about: What it says of itself, by key.

    Raises:
        ValueError: if it is none, or damaged.
        OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap(file.fileno(), 0, access=ACCESS_READ)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._view = memoryview(self._map)
        self._at = 4
        if bytes(self._view[:4]) != b"GGUF" or self._number("I") not in _VERSIONS:
            raise ValueError("it is not a model in a version of GGUF that is known here")
        try:
            tensors, keys = self._number("Q"), self._number("Q")
            self.about: dict[str, Any] = {}
            for _ in range(keys):
                key = self._string()
                self.about[key] = self._value(self._number("I"))
            self._places = dict(self._place() for _ in range(tensors))
        except (struct.error, KeyError) as error:
            raise ValueError(f"it is damaged: {error}") from error
        align = self.about.get("general.alignment", 32)
        self._start = math.ceil(self._at / align) * align

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def tensor(self, name: str) -> Tensor:
        """Return numbers by name.

        Raises:
            ValueError: if there are none, or they are written in a way that is not known here.
        """
        if name not in self._places:
            raise ValueError(f"it has no {name}")
        shape, type_, offset = self._places[name]
        if type_ not in _BLOCKS:
            raise ValueError(f"its {name} is of type {type_}, which is not known here")
        columns, rows = shape[0], math.prod(shape[1:])
        numbers, size = _BLOCKS[type_]
        row = columns // numbers * size
        start = self._start + offset
        bytes_ = self._bytes[start : start + rows * row]
        if bytes_.size != rows * row or columns % numbers:
            raise ValueError(f"its {name} is cut off")
        return Tensor(type_, columns, bytes_.reshape(rows, row))

    def forget(self) -> None:
        """Give back the memory of what was read; it comes again when it is read again."""
        self._map.madvise(MADV_DONTNEED)

    def _place(self) -> tuple[str, tuple[tuple[int, ...], int, int]]:
        name, dimensions = self._string(), self._number("I")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        return name, (shape, self._number("I"), self._number("Q"))

    def _number(self, format_: str) -> Any:
        (value,) = struct.unpack_from("<" + format_, self._view, self._at)
        self._at += struct.calcsize(format_)
        return value

    def _string(self) -> str:
        size = self._number("Q")
        self._at += size
        return bytes(self._view[self._at - size : self._at]).decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            kind, count = self._number("I"), self._number("Q")
            return [self._value(kind) for _ in range(count)]
        return self._number(_NUMBERS[kind])
