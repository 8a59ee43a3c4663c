"""ONNX files of Ditto's networks against PyTorch."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (the extra gpu)")

from typer.testing import CliRunner  # noqa: E402

from ditto_checkpoint import narrow_checkpoint  # noqa: E402
from realtime_avatar.cli.main import app  # noqa: E402
from realtime_avatar.errors import ConfigError  # noqa: E402
from realtime_avatar.face.ditto import onnx_export, tensorrt  # noqa: E402
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


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
def test_half_precision_is_in_the_file(tmp_path: Path):
    import onnx

    found: dict[str, float] = {}
    onnx_export.export(
        load(narrow_checkpoint()), tmp_path, 8, found.__setitem__, ["decoder"], half=True
    )
    assert 1e-6 < found["decoder"] < onnx_export.TOLERANCE_HALF
    (given,) = onnx.load(tmp_path / "decoder.onnx").graph.input
    assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def test_a_missing_tensorrt_is_told_before_anything_is_done(tmp_path: Path):
    if find_spec("tensorrt") or find_spec("tensorrt_rtx"):
        pytest.skip("TensorRT is installed")
    with pytest.raises(ConfigError, match="there is no TensorRT"):
        tensorrt.build(tmp_path)
    told = CliRunner().invoke(
        app, ["engines", "build", "ditto", "--backend", "tensorrt", "-o", str(tmp_path / "x")]
    )
    assert isinstance(told.exception, ConfigError)
    assert not (tmp_path / "x").exists()


def test_only_ditto_is_built():
    told = CliRunner().invoke(app, ["engines", "build", "hibari"])
    assert isinstance(told.exception, ConfigError)
    assert "nothing to build" in str(told.exception)
