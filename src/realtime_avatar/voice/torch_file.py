"""Reading the tensors of an old PyTorch file (before 1.6), without PyTorch and without trust.

The file is five pickles one after another (a magic number, the protocol, the sizes of types,
the object, the keys of its storages), then each storage: its length, int64, and its numbers.
A pickle can call anything; this reader lets it name nothing but the three functions that a
dictionary of float32 tensors is made with, and calls none of them.
"""

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_BYTES: Final = {"FloatStorage": 4, "LongStorage": 8}


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]


def read_tensors(path: Path, entry: str) -> dict[str, NDArray[np.float32]]:
    """Return a dictionary of float32 tensors that lie contiguously in a file.

    Args:
        path: The file.
        entry: Key of the dictionary in the object that the file holds.

    Raises:
        ModelMissing: if it is not such a file.
    """
    try:
        with path.open("rb") as file:
            return _read(file, entry)
    except (pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError) as error:
        raise ModelMissing(f"{path} is not what it should be: {error}") from error
    except (AttributeError, IndexError, struct.error) as error:
        raise ModelMissing(f"{path} is not what it should be: {error}") from error


def _read(file: BinaryIO, entry: str) -> dict[str, NDArray[np.float32]]:
    magic, protocol, _, content, keys = (_Restricted(file).load() for _ in range(5))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise ValueError("no PyTorch file of the old kind")
    tensors: dict[str, _Tensor] = content[entry]
    kinds = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
    storages: dict[str, NDArray[np.float32]] = {}
    for key in keys:
        if kinds.keys() == storages.keys():
            break
        (length,) = struct.unpack("<q", file.read(8))
        size = _BYTES[kinds.get(key, "FloatStorage")]
        data = file.read(length * size)
        if len(data) != length * size:
            raise EOFError("it is cut off")
        if key in kinds:
            storages[key] = np.frombuffer(data, "<f4" if size == 4 else "<i8").astype(np.float32)
    return {
        name: storages[tensor.storage[2]][
            tensor.offset : tensor.offset + int(np.prod(tensor.shape))
        ].reshape(tensor.shape)
        for name, tensor in tensors.items()
    }


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if module == "torch" and name in _BYTES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def _rebuilt(storage: Any, offset: int, shape: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape)
