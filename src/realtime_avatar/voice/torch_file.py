"""Reading the tensors of a PyTorch file, without PyTorch and without trust.

Before 1.6 the file is five pickles one after another (a magic number, the protocol, the sizes of
types, the object, the keys of its storages), then each storage: its length, int64, and its
numbers. Since then it is a zip archive: the object's pickle, and each storage a member of its own,
not compressed. A pickle can call anything; this reader lets it name nothing but the three
functions that a dictionary of float32 tensors is made with, and calls none of them.
"""

import pickle
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_NONE_OF_IT: Final = (  # what reading a file that is something else can end in
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError,
    AttributeError, IndexError, KeyError, TypeError, ValueError,
)  # fmt: skip
_BYTES: Final = {"FloatStorage": 4, "LongStorage": 8}


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]


def read_tensors(path: Path, entry: str = "") -> dict[str, NDArray[np.float32]]:
    """Return a dictionary of float32 tensors that lie contiguously in a file.

    Args:
        path: The file.
        entry: Key of the dictionary in the object that the file holds; empty: it is that object.

    Raises:
        ModelMissing: if it is not such a file.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive, entry)
        with path.open("rb") as file:
            return _read(file, entry)
    except _NONE_OF_IT as error:
        raise ModelMissing(f"{path} is not what it should be: {error}") from error


def _read(file: BinaryIO, entry: str) -> dict[str, NDArray[np.float32]]:
    magic, protocol, _, content, keys = (_Restricted(file).load() for _ in range(5))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise ValueError("no PyTorch file of the old kind")
    tensors: dict[str, _Tensor] = content[entry] if entry else content
    kinds = _kinds(tensors)
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
            storages[key] = _numbers(data, kinds[key])
    return _cut(tensors, storages)


def _read_zip(archive: zipfile.ZipFile, entry: str) -> dict[str, NDArray[np.float32]]:
    (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    with archive.open(name) as file:
        content = _Restricted(file).load()
    tensors: dict[str, _Tensor] = content[entry] if entry else content
    folder = name.removesuffix("data.pkl") + "data/"
    storages = {
        key: _numbers(archive.read(folder + key), kind) for key, kind in _kinds(tensors).items()
    }
    return _cut(tensors, storages)


def _kinds(tensors: dict[str, _Tensor]) -> dict[str, str]:
    """Return the key of each storage that is needed, and the name of its type."""
    return {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}


def _numbers(data: bytes, kind: str) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4" if _BYTES[kind] == 4 else "<i8").astype(np.float32)


def _cut(
    tensors: dict[str, _Tensor], storages: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
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
