"""PyTorch files, old and new, are read without PyTorch, and cannot do anything."""

import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_avatar.errors import ModelMissing
from realtime_avatar.voice.torch_file import read_tensors

MAGIC = 0x1950A86A20F9469CFC6C


class _Named:
    """Pickled as a global of that name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


_PurePickler: Any = vars(pickle)["_Pickler"]  # in Python, so that it can be bent


class _Pickler(_PurePickler):
    """Writes globals and storages as PyTorch does."""

    def persistent_id(self, obj: Any) -> Any:
        return obj[1:] if isinstance(obj, tuple) and obj and obj[0] == "persistent" else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Named):
            self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Call):
            self.save(obj.function)
            super().save(obj.arguments)
            self.write(b"R")
        else:
            super().save(obj, save_persistent_id)


class _Call:
    def __init__(self, function: _Named, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments


def written(path: Path, content: Any, storages: dict[str, bytes], magic: int = MAGIC) -> Path:
    with path.open("wb") as file:
        for part in (magic, 1001, {"little_endian": True}, content, list(storages)):
            _Pickler(file, 2).dump(part)
        for data in storages.values():
            file.write(struct.pack("<q", len(data) // 4) + data)
    return path


def tensor(key: str, offset: int, shape: tuple[int, ...]) -> _Call:
    storage = ("persistent", "storage", _Named("torch", "FloatStorage"), key, "cpu", 6, None)
    rebuild = _Named("torch._utils", "_rebuild_tensor_v2")
    return _Call(rebuild, storage, offset, shape, (1,) * len(shape), False, OrderedDict())


def test_tensors_that_share_a_storage_are_read(tmp_path: Path):
    content = {"model_state": {"a": tensor("7", 0, (2, 2)), "b": tensor("7", 4, (2,))}}
    numbers = np.arange(6, dtype=np.float32)
    path = written(tmp_path / "x.pt", content, {"3": b"\0" * 8, "7": numbers.tobytes()})
    found = read_tensors(path, "model_state")
    np.testing.assert_array_equal(found["a"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(found["b"], [4, 5])


def zipped(path: Path, content: Any, storages: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("model/data.pkl", "w") as file:
            _Pickler(file, 2).dump(content)
        for key, data in storages.items():
            archive.writestr(f"model/data/{key}", data)
    return path


def test_new_files_are_read_too(tmp_path: Path):
    content = OrderedDict(a=tensor("7", 0, (2, 2)), b=tensor("7", 4, (2,)))
    numbers = np.arange(6, dtype=np.float32)
    found = read_tensors(zipped(tmp_path / "x.pt", content, {"7": numbers.tobytes()}))
    np.testing.assert_array_equal(found["a"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(found["b"], [4, 5])


def test_what_pytorch_writes_is_read(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    layer = torch.nn.BatchNorm1d(5)
    torch.save({"state": layer.state_dict()}, tmp_path / "x.pt")
    found = read_tensors(tmp_path / "x.pt", "state")
    assert found.keys() == layer.state_dict().keys()
    np.testing.assert_array_equal(found["running_var"], np.ones(5))


def test_nothing_in_a_new_file_is_ever_called(tmp_path: Path):
    evil = _Call(_Named("os", "system"), f"touch {tmp_path / 'pwned'}")
    with pytest.raises(ModelMissing, match=r"it names (os|posix)\.system"):
        read_tensors(zipped(tmp_path / "x.pt", {"a": evil}, {}))
    assert not (tmp_path / "pwned").exists()


def test_a_new_file_without_some_numbers_is_told(tmp_path: Path):
    content = {"a": tensor("7", 0, (6,))}
    for storages in ({}, {"7": b"\0" * 20}):
        with pytest.raises(ModelMissing, match="not what it should be"):
            read_tensors(zipped(tmp_path / "x.pt", content, storages))
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("something", "else")
    with pytest.raises(ModelMissing, match="not what it should be"):
        read_tensors(tmp_path / "x.pt")


def test_nothing_in_it_is_ever_called(tmp_path: Path):
    evil = _Call(_Named("os", "system"), f"touch {tmp_path / 'pwned'}")
    path = written(tmp_path / "x.pt", {"model_state": evil}, {})
    with pytest.raises(ModelMissing, match=r"it names (os|posix)\.system"):
        read_tensors(path, "model_state")
    assert not (tmp_path / "pwned").exists()


def test_what_is_none_is_told(tmp_path: Path):
    content = {"model_state": {"a": tensor("7", 0, (6,))}}
    for name, path in (
        ("magic", written(tmp_path / "magic.pt", content, {}, magic=1)),
        ("short", written(tmp_path / "short.pt", content, {"7": b"\0" * 24})),
    ):
        if name == "short":
            path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(ModelMissing, match="not what it should be"):
            read_tensors(path, "model_state")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ModelMissing, match="not what it should be"):
        read_tensors(tmp_path / "text.pt", "model_state")
