"""Ditto's networks as ONNX files; each is compared with PyTorch's before it counts."""

import copy
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from realtime_avatar.errors import ConfigError
from realtime_avatar.face.ditto.checkpoint import Checkpoint

TOLERANCE: Final = 2e-3
"""Largest relative error of an exported network in float32."""

TOLERANCE_HALF: Final = 2e-2
"""The same in float16."""

_HALF: Final = ("warp_network", "decoder")  # the others are served in float32

OPSET: Final = 20  # the first whose GridSample takes volumes


def export(
    checkpoint: Checkpoint,
    folder: Path,
    side: int,
    report: Callable[[str, float], None],
    only: Collection[str] = (),
    *,
    half: bool = False,
) -> None:
    """Write one ONNX file for each network that a frame or a window goes through.

    Args:
        checkpoint: The networks.
        folder: Where.
        side: Of the volume, places; 64 as published.
        report: Is told each name and its relative error against PyTorch.
        only: Names of networks, if not all are wanted.
        half: Whether those that are served in float16 are written so.

    Raises:
        ConfigError: if the tools are missing, or a file does not compute the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)

    def given(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    channels = checkpoint.appearance.second.out_channels // 16
    source = 0.2 * given(1, 21, 3)
    networks: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
        "appearance_extractor": (checkpoint.appearance, (given(1, 3, 4 * side, 4 * side),)),
        "motion_extractor": (checkpoint.motion, (given(1, 3, 4 * side, 4 * side),)),
        "warp_network": (
            checkpoint.warp, (given(1, channels, 16, side, side), source, source + 0.05),
        ),
        "decoder": (checkpoint.decoder, (given(1, checkpoint.decoder.fc.in_channels, side, side),)),
        "stitch_network": (checkpoint.stitch, (source, source + 0.05)),
        "lmdm": (
            checkpoint.denoiser,
            (
                given(1, 80, 265), given(1, 265),
                given(1, 80, checkpoint.denoiser.cond_projection.in_features),
                torch.tensor([500]),
            ),
        ),
    }  # fmt: skip
    for name in only or networks:
        network, inputs = networks[name]
        path = folder / f"{name}.onnx"
        report(name, _export(network, inputs, path, half=half and name in _HALF))


def _export(
    network: nn.Module, inputs: tuple[Tensor, ...], path: Path, *, half: bool = False
) -> float:
    try:
        import onnxscript
    except ImportError:
        raise ConfigError(
            "exporting Ditto needs onnxscript; install it: pip install 'realtime-avatar[gpu]'"
        ) from None
    del onnxscript
    network = network.float().cpu().eval()
    with torch.inference_mode():
        wanted = network(*inputs)
    if half:
        network, inputs = copy.deepcopy(network).half(), tuple(x.half() for x in inputs)
    torch.onnx.export(
        network, inputs, path, dynamo=True, opset_version=OPSET, external_data=False, verbose=False
    )
    wanted = [wanted] if isinstance(wanted, Tensor) else list(wanted)
    found = _run(path, inputs)
    off = max(relative(one, other.numpy()) for one, other in zip(found, wanted, strict=True))
    if not off < (TOLERANCE_HALF if half else TOLERANCE):
        raise ConfigError(f"{path.name} does not compute what PyTorch does: {off:.1e} off")
    return off


def _run(path: Path, inputs: tuple[Tensor, ...]) -> list[Any]:
    from realtime_avatar.engines.runtime import onnx_session

    session = onnx_session(path)
    names = [node.name for node in session.get_inputs()]
    return list(session.run(None, {name: x.numpy() for name, x in zip(names, inputs, strict=True)}))


def relative(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return how far one array is off another, of that one's length."""
    return float(
        np.linalg.norm(found.astype(np.float32) - wanted)
        / max(float(np.linalg.norm(wanted)), 1e-12)
    )
