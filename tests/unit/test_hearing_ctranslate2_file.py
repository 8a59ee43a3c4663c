import struct
from pathlib import Path

import numpy as np
import pytest

from realtime_avatar.errors import ModelMissing
from realtime_avatar.hearing.ctranslate2_file import read_variables

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def written(path: Path, variables: dict[str, np.ndarray], version: int = 6) -> Path:
    """Write a model as CTranslate2 does."""

    def name(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    parts = [struct.pack("<I", version), name("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for key, value in variables.items():
        data = value.tobytes()
        parts += [name(key), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", TYPES[value.dtype.name], len(data)), data]
    parts.append(struct.pack("<I", 0))
    path.write_bytes(b"".join(parts))
    return path


def test_variables_of_one_part_are_read(tmp_path: Path):
    variables = {
        "decoder/a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "decoder/b": np.array(8, np.int16),
        "decoder/c": np.array([1.5], np.float16),
        "encoder/a": np.ones(3, np.int8),
    }
    found = read_variables(written(tmp_path / "model.bin", variables), "decoder/")
    assert found.keys() == {"a", "b", "c"}
    for name, value in found.items():
        np.testing.assert_array_equal(value, variables[f"decoder/{name}"])
        assert value.dtype == variables[f"decoder/{name}"].dtype


def test_what_is_none_is_told(tmp_path: Path):
    whole = written(tmp_path / "model.bin", {"decoder/a": np.ones(9, np.float32)}).read_bytes()
    old = written(tmp_path / "old.bin", {}, version=5).read_bytes()
    for data in (b"", whole[:-9], old, b"hello, this is something else"):
        (tmp_path / "model.bin").write_bytes(data)
        with pytest.raises(ModelMissing, match=r"model\.bin is not what it should be"):
            read_variables(tmp_path / "model.bin", "decoder/")
