"""ONNX files of Ditto's networks against PyTorch."""

from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (the extra gpu)")

from ditto_checkpoint import narrow_checkpoint  # noqa: E402
from realtime_avatar.errors import ConfigError  # noqa: E402
from realtime_avatar.face.ditto import onnx_export  # noqa: E402
from realtime_avatar.face.ditto.checkpoint import load  # noqa: E402


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
def test_networks_are_exported_and_compute_the_same(tmp_path: Path):
    names = ("stitch_network", "decoder")  # all six take two minutes
    found: dict[str, float] = {}
    onnx_export.export(load(narrow_checkpoint()), tmp_path, 8, found.__setitem__, names)
    assert sorted(path.stem for path in tmp_path.glob("*.onnx")) == sorted(found)
    assert sorted(found) == sorted(names)
    assert max(found.values()) < onnx_export.TOLERANCE


def test_a_missing_tensorrt_is_told(tmp_path: Path):
    try:
        import tensorrt  # noqa: F401 # pyright: ignore
    except ImportError:
        with pytest.raises(ConfigError, match="there is no TensorRT"):
            onnx_export.build(tmp_path)
