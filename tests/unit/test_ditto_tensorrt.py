"""Engines of TensorRT, by a stand-in for its library that runs ONNX files in ONNX Runtime."""

import ctypes
import logging
import sys
from enum import IntEnum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")
onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed (the extra gpu)")

from realtime_avatar.engines.runtime import onnx_session  # noqa: E402
from realtime_avatar.errors import ConfigError  # noqa: E402
from realtime_avatar.face.ditto import tensorrt  # noqa: E402

CPU = torch.device("cpu")
VOLUME, POINTS, FACE = (1, 4, 16, 8, 8), (1, 21, 3), (1, 64, 8, 8)
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class DataType(IntEnum):
    FLOAT = 0
    HALF = 1


class TensorIOMode(IntEnum):
    INPUT = 1
    OUTPUT = 2


class Engine:
    """Also its own context: addresses, and a run of what lies there."""

    def __init__(self, path: Path) -> None:
        self._session = onnx_session(path)
        self._nodes = [*self._session.get_inputs(), *self._session.get_outputs()]
        self._addresses: dict[str, int] = {}
        self.num_io_tensors = len(self._nodes)

    def create_execution_context(self) -> "Engine":
        return self

    def get_tensor_name(self, at: int) -> str:
        return self._nodes[at].name

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        given = {node.name for node in self._session.get_inputs()}
        return TensorIOMode.INPUT if name in given else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> list[int]:
        return next(node.shape for node in self._nodes if node.name == name)

    def get_tensor_dtype(self, name: str) -> DataType:
        kind = next(node.type for node in self._nodes if node.name == name)
        return DataType.HALF if kind == "tensor(float16)" else DataType.FLOAT

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 0
        rooms = {node.name: self._room(node) for node in self._nodes}
        given = {node.name: rooms[node.name] for node in self._session.get_inputs()}
        for node, found in zip(
            self._session.get_outputs(), self._session.run(None, given), strict=True
        ):
            rooms[node.name][...] = found
        return True

    def _room(self, node: Any) -> np.ndarray:
        size = int(np.prod(node.shape)) * np.dtype(TYPES[node.type]).itemsize
        raw = (ctypes.c_uint8 * size).from_address(self._addresses[node.name])
        return np.ctypeslib.as_array(raw).view(TYPES[node.type]).reshape(node.shape)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Stand in for the module; an engine's file is its ONNX file."""
    module: Any = ModuleType("tensorrt")

    class Logger:
        WARNING = 2

        def __init__(self, level: int) -> None:
            self.level = level

    class Runtime:
        def __init__(self, logger: Logger) -> None:
            pass

        def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
            if data == b"of another version":
                return None
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.loaded"
            path.write_bytes(data)
            return Engine(path)

    class Builder:
        def __init__(self, logger: Logger) -> None:
            pass

        def create_network(self, flags: int) -> Any:
            assert flags == 1 << 3
            return SimpleNamespace(data=b"")

        def create_builder_config(self) -> None:
            return None

        def build_serialized_network(self, network: Any, config: None) -> bytes | None:
            return network.data or None

    class OnnxParser:
        def __init__(self, network: Any, logger: Logger) -> None:
            self._network = network

        def parse_from_file(self, path: str) -> bool:
            data = Path(path).read_bytes()
            if data == b"no model":
                return False
            self._network.data = data
            return True

        def get_error(self, at: int) -> str:
            return "it is none"

    flags = SimpleNamespace(STRONGLY_TYPED=3)
    for part in (Logger, Runtime, Builder, OnnxParser, DataType, TensorIOMode):
        setattr(module, part.__name__, part)
    module.NetworkDefinitionCreationFlag = flags
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def written(folder: Path) -> Path:
    """Write two networks: a volume moved by how far points are, in float16, and a picture of it."""
    from onnx import TensorProto, helper

    half = TensorProto.FLOAT16

    def save(name: str, nodes: list[Any], given: dict[str, Any], output: tuple[int, ...]) -> None:
        graph = helper.make_graph(
            nodes, name,
            [helper.make_tensor_value_info(key, half, shape) for key, shape in given.items()],
            [helper.make_tensor_value_info("out", half, output)],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        onnx.save(model, folder / f"{name}.onnx")

    save(
        "warp_network",
        [
            helper.make_node("Sub", ["driving", "source"], ["moved"]),
            helper.make_node("ReduceMean", ["moved"], ["far"], keepdims=0),
            helper.make_node("Add", ["volume", "far"], ["whole"]),
            helper.make_node("Constant", [], ["shape"], value_ints=FACE),
            helper.make_node("Reshape", ["whole", "shape"], ["out"]),
        ],
        {"volume": VOLUME, "source": POINTS, "driving": POINTS},
        FACE,
    )
    save("decoder", [helper.make_node("Sigmoid", ["face"], ["out"])], {"face": FACE}, FACE)
    return folder


def by_torch(volume: Any, source: Any, driving: Any) -> Any:
    return torch.sigmoid(volume.reshape(FACE) + (driving - source).mean())


def examples() -> tuple[Any, ...]:
    chance = torch.Generator().manual_seed(1)
    volume = torch.randn(VOLUME, generator=chance)
    source = torch.randn(POINTS, generator=chance)
    return volume, source, source + 0.3


@pytest.mark.usefixtures("library")
def test_what_is_built_computes_what_pytorch_does(tmp_path: Path):
    folder = tmp_path / "engines"
    folder.mkdir()
    assert tensorrt.networks(written(folder), CPU) is None  # not built yet
    tensorrt.build(folder)
    found = tensorrt.networks(folder, CPU)
    assert found is not None
    warp, decoder = found
    volume, source, driving = examples()
    for moved in (driving, driving + 1):  # the same memory again
        face = decoder(warp(volume, source, moved))
        assert face.dtype == torch.float16
        off = (face.float() - by_torch(volume, source, moved)).abs().max()
        assert off < 2e-3
    with pytest.raises(ValueError, match=r"built for \(1, 4, 16, 8, 8\), not \(2, 4"):
        warp(volume.expand(2, *VOLUME[1:]), source, driving)


@pytest.mark.usefixtures("library")
def test_engines_for_another_gpu_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tensorrt.build(written(tmp_path))
    (tmp_path / "decoder.engine").write_bytes(b"of another version")
    with caplog.at_level(logging.WARNING):
        assert tensorrt.networks(tmp_path, CPU) is None
    assert "decoder.engine was built for another GPU or another TensorRT" in caplog.text


@pytest.mark.usefixtures("library")
def test_a_file_that_cannot_be_taken_is_named(tmp_path: Path):
    (tmp_path / "decoder.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match=r"cannot take decoder\.onnx: it is none"):
        tensorrt.build(tmp_path)
    (tmp_path / "decoder.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"could not build decoder\.onnx"):
        tensorrt.build(tmp_path)


@pytest.mark.parametrize(
    ("each", "off", "wanted"), [(0.5, 0.0, True), (2.0, 0.0, False), (0.5, 0.1, False)]
)
def test_only_the_same_picture_sooner_is_better(each: float, off: float, wanted: bool):
    now = 0.0

    def built(*inputs: Any) -> Any:
        nonlocal now
        now += each
        return by_torch(*inputs) + off

    def served(*inputs: Any) -> Any:
        nonlocal now
        now += 1
        return by_torch(*inputs)

    assert tensorrt.better(built, served, examples(), lambda: now) is wanted


def test_an_engine_that_fails_is_not_better(caplog: pytest.LogCaptureFixture):
    def built(*inputs: Any) -> Any:
        raise RuntimeError("TensorRT could not run an engine")

    with caplog.at_level(logging.WARNING):
        assert not tensorrt.better(built, by_torch, examples())
    assert "could not run an engine" in caplog.text
