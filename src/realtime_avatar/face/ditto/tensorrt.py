"""Ditto's networks built by TensorRT, and run on PyTorch's tensors where they are faster."""

import logging
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import platformdirs
import torch
from torch import Tensor, nn

from realtime_avatar.errors import ConfigError
from realtime_avatar.face.ditto.onnx_export import TOLERANCE_HALF, relative

_RUNS: Final = 5

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return where engines are left by `avatar engines build`, and looked for."""
    return platformdirs.user_cache_path("realtime-avatar") / "engines" / "ditto"


def library() -> Any:
    """Return TensorRT's module, or TensorRT-RTX's.

    Raises:
        ConfigError: if neither is installed.
    """
    for name in ("tensorrt", "tensorrt_rtx"):
        with suppress(ImportError):
            return import_module(name)
    raise ConfigError(
        "there is no TensorRT; install it: pip install tensorrt, or tensorrt-rtx for GPUs with"
        " RTX cores"
    )


def build(folder: Path) -> None:
    """Build an engine beside each ONNX file of a folder, in the precision that is in the file.

    Raises:
        ConfigError: if TensorRT is missing or cannot take a file.
    """
    trt = library()
    logger = trt.Logger(trt.Logger.WARNING)
    # RTX knows no other.
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    for path in sorted(folder.glob("*.onnx")):
        builder = trt.Builder(logger)
        network = builder.create_network(typed)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse_from_file(str(path)):
            raise ConfigError(f"TensorRT cannot take {path.name}: {parser.get_error(0)}")
        built = builder.build_serialized_network(network, builder.create_builder_config())
        if built is None:
            raise ConfigError(f"TensorRT could not build {path.name}")
        path.with_suffix(".engine").write_bytes(bytes(built))


class BuiltNetwork(nn.Module):
    """A network as TensorRT has built it, for the shapes that it was exported with.

    Its one output stays in the same memory and the next call overwrites it, as with a recorded
    graph; a call only queues work, so it can be recorded in a graph itself.

    Args:
        trt: TensorRT's module.
        path: Of the engine.
        device: Where it runs.

    Raises:
        ConfigError: if the engine is for another GPU or another TensorRT.
    """

    def __init__(self, trt: Any, path: Path, device: torch.device) -> None:
        super().__init__()
        runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine: Any = runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise ConfigError(f"{path.name} was built for another GPU or another TensorRT")
        self._context: Any = self._engine.create_execution_context()
        self._device = device
        names = [self._engine.get_tensor_name(at) for at in range(self._engine.num_io_tensors)]
        given = [self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names]
        kinds = {trt.DataType.HALF: torch.float16, trt.DataType.FLOAT: torch.float32}

        def room(name: str) -> Tensor:
            shape = tuple(self._engine.get_tensor_shape(name))
            kind = kinds[self._engine.get_tensor_dtype(name)]
            return torch.empty(shape, dtype=kind, device=device)

        # Addresses never change: what is given is copied, so a recording stays true.
        rooms = {name: room(name) for name in names}
        for name, tensor in rooms.items():
            self._context.set_tensor_address(name, tensor.data_ptr())
        self._inputs = [rooms[name] for name, into in zip(names, given, strict=True) if into]
        (self._output,) = (rooms[name] for name, into in zip(names, given, strict=True) if not into)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the output. Inputs: in the order and shapes of the export."""
        for kept, tensor in zip(self._inputs, inputs, strict=True):
            if kept.shape != tensor.shape:
                raise ValueError(f"built for {tuple(kept.shape)}, not {tuple(tensor.shape)}")
            kept.copy_(tensor, non_blocking=True)
        cuda = self._device.type == "cuda"
        stream = torch.cuda.current_stream(self._device).cuda_stream if cuda else 0
        if not self._context.execute_async_v3(stream):
            raise RuntimeError("TensorRT could not run an engine")
        return self._output


def networks(folder: Path, device: torch.device) -> tuple[BuiltNetwork, BuiltNetwork] | None:
    """Return warp and decoder as `avatar engines build` left them; None if it did not, or in vain.

    What is wrong with them is logged: PyTorch's are always there.
    """
    paths = [folder / f"{name}.engine" for name in ("warp_network", "decoder")]
    if not all(path.is_file() for path in paths):
        return None
    try:
        trt = library()
        warp, decoder = (BuiltNetwork(trt, path, device) for path in paths)
    except (ConfigError, KeyError, RuntimeError, ValueError) as error:
        _log.warning("the engines in %s are not used: %s", folder, error)
        return None
    return warp, decoder


def better(
    built: Callable[..., Tensor],
    served: Callable[..., Tensor],
    inputs: tuple[Tensor, ...],
    clock: Callable[[], float] = perf_counter,
) -> bool:
    """Tell whether built networks compute what the served ones do, and sooner. Logs both.

    Args:
        built: TensorRT's.
        served: PyTorch's, the reference.
        inputs: For both.
        clock: Seconds.
    """

    def seconds(work: Callable[..., Tensor]) -> float:
        taken: list[float] = []
        for _ in range(_RUNS):
            start = clock()
            work(*inputs)
            if inputs[0].is_cuda:
                torch.cuda.synchronize()
            taken.append(clock() - start)
        return median(taken)

    try:
        found, wanted = (work(*inputs).float().cpu().numpy() for work in (built, served))
        off = relative(found, wanted)
        if not off < TOLERANCE_HALF:
            _log.warning("TensorRT's pictures are %.1e off PyTorch's and are not used", off)
            return False
        ours, theirs = seconds(served), seconds(built)
    except (RuntimeError, ValueError) as error:
        _log.warning("the engines of TensorRT do not run: %s", error)
        return False
    _log.info(
        "a picture takes TensorRT %.1f ms, PyTorch %.1f ms, %.1e off", 1e3 * theirs, 1e3 * ours, off
    )
    return theirs < ours
