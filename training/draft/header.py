"""Reads a GGUF file (header and raw tensors) and dequantises Q4_K and Q6_K with torch."""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

F32, Q4_K, Q6_K = 0, 12, 14
BLOCKS = {F32: (1, 4), Q4_K: (256, 144), Q6_K: (256, 210)}
"""Values and bytes of a block, by tensor type."""
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}


class Tensor(NamedTuple):
    """Where a tensor lies: its type, its shape (inputs first) and its bytes in the file."""

    type: int
    shape: list[int]
    offset: int
    size: int


class Header:
    """What stands before the tensors of a GGUF file."""

    def __init__(self, path: Path) -> None:
        self._data = np.memmap(path, np.uint8, "r")
        self._at = 4
        self._read("I")
        tensors, keys = self._read("Q"), self._read("Q")
        self.values: dict[str, Any] = {}
        for _ in range(keys):
            key = self._text()
            self.values[key] = self._value(self._read("I"))
        found = []
        for _ in range(tensors):
            name = self._text()
            shape = [self._read("Q") for _ in range(self._read("I"))]
            found.append((name, shape, self._read("I"), self._read("Q")))
        start = (self._at + 31) // 32 * 32
        self.tensors: dict[str, Tensor] = {}
        for name, shape, kind, offset in found:
            count, size = BLOCKS[kind]
            n = int(np.prod(shape)) // count * size
            self.tensors[name] = Tensor(kind, shape, start + offset, n)

    def bytes(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        return self._data[tensor.offset : tensor.offset + tensor.size]

    def _read(self, form: str) -> Any:
        value = struct.unpack_from("<" + form, self._data, self._at)[0]
        self._at += struct.calcsize("<" + form)
        return value

    def _text(self) -> str:
        n = self._read("Q")
        self._at += n
        return bytes(self._data[self._at - n : self._at]).decode("utf8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == 8:
            return self._text()
        if kind == 9:
            kind, n = self._read("I"), self._read("Q")
            return [self._value(kind) for _ in range(n)]
        return self._read(_SCALARS[kind])


def dequantise(raw: torch.Tensor, kind: int, inputs: int) -> torch.Tensor:
    """Return a tensor's values as float32, one row for each output.

    Args:
        raw: Its bytes.
        kind: Its type in GGUF.
        inputs: Values in a row.
    """
    if kind == F32:
        return raw.view(torch.float32).reshape(-1, inputs)
    _, size = BLOCKS[kind]
    blocks = raw.reshape(-1, size)
    values = (_q4_k if kind == Q4_K else _q6_k)(blocks)
    return values.reshape(-1, inputs)


def _half(raw: torch.Tensor) -> torch.Tensor:
    return raw.contiguous().view(torch.float16).float()


def _q4_k(raw: torch.Tensor) -> torch.Tensor:
    d, least = _half(raw[:, 0:2]), _half(raw[:, 2:4])
    packed = raw[:, 4:16]
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scale = torch.cat([low & 63, (high & 15) | ((low >> 6) << 4)], 1)
    shift = torch.cat([middle & 63, (high >> 4) | ((middle >> 6) << 4)], 1)
    nibbles = raw[:, 16:].reshape(-1, 4, 32)
    q = torch.stack([nibbles & 15, nibbles >> 4], 2).reshape(-1, 8, 32).float()
    return q * (scale.float() * d)[..., None] - (shift.float() * least)[..., None]


def _q6_k(raw: torch.Tensor) -> torch.Tensor:
    low = raw[:, :128].reshape(-1, 2, 2, 32)
    high = raw[:, 128:192].reshape(-1, 2, 1, 32)
    scale = raw[:, 192:208].contiguous().view(torch.int8).float()
    d = _half(raw[:, 208:210])
    q = torch.cat([low & 15, low >> 4], 2)
    bits = torch.cat([(high >> (2 * i)) & 3 for i in range(4)], 2)
    q = (q | (bits << 4)).reshape(-1, 16, 16).float() - 32
    return q * (scale * d)[..., None]
