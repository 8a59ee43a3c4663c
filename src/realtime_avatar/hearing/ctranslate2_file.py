"""Reading the weights of a CTranslate2 model, `model.bin`.

The file is a version, the name of a specification and its revision, then the variables: a name,
their shape, type and bytes each; then names that stand for other variables. Names end in a zero
byte; all numbers are little-endian.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing

_VERSION: Final = 6
_TYPES: Final = ("<f4", "<i1", "<i2", "<i4", "<f2")
_NONE_OF_IT: Final = (struct.error, EOFError, IndexError, UnicodeDecodeError, ValueError)


def read_variables(path: Path, part: str) -> dict[str, NDArray[np.generic]]:
    """Return the variables of one part of a model, by their names within it.

    Args:
        path: The file.
        part: What their names begin with, "decoder/" say.

    Raises:
        ModelMissing: if it is not such a file.
    """
    try:
        with path.open("rb") as file:
            return _read(file, part)
    except _NONE_OF_IT as error:
        raise ModelMissing(f"{path} is not what it should be: {error}") from error


def _read(file: BinaryIO, part: str) -> dict[str, NDArray[np.generic]]:
    (version,) = _numbers(file, "I")
    if version != _VERSION:
        raise ValueError(f"its version is {version}, not {_VERSION}")
    _name(file)
    _, count = _numbers(file, "II")
    found: dict[str, NDArray[np.generic]] = {}
    for _ in range(count):
        name = _name(file)
        (rank,) = _numbers(file, "B")
        shape = _numbers(file, f"{rank}I")
        kind, size = _numbers(file, "BI")
        if name.startswith(part):
            data = np.frombuffer(_bytes(file, size), _TYPES[kind])
            found[name.removeprefix(part)] = data.reshape(shape)
        else:
            file.seek(size, 1)
    return found


def _name(file: BinaryIO) -> str:
    (length,) = _numbers(file, "H")
    return _bytes(file, length)[:-1].decode()


def _numbers(file: BinaryIO, kinds: str) -> tuple[Any, ...]:
    form = f"<{kinds}"
    return struct.unpack(form, _bytes(file, struct.calcsize(form)))


def _bytes(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError("it is cut off")
    return data
