"""The published checkpoints: finding their files, and reading them without running them.

A folder as it is published (`ditto_cfg`, `ditto_pytorch/models`, `ditto_pytorch/aux_models`),
or all files side by side as the model store keeps them.
"""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from torch import Tensor

from realtime_avatar.errors import ModelMissing
from realtime_avatar.face.ditto.appearance import AppearanceExtractor
from realtime_avatar.face.ditto.condition import Wanted
from realtime_avatar.face.ditto.decoder import FEATURES, Decoder
from realtime_avatar.face.ditto.denoiser import MOTION, MotionDenoiser
from realtime_avatar.face.ditto.motion import MotionExtractor
from realtime_avatar.face.ditto.stitch import StitchNetwork
from realtime_avatar.face.ditto.warp import WarpNetwork

CONFIG: Final = "v0.4_hubert_cfg_pytorch.pkl"
HUBERT: Final = "hubert_streaming_fix_kv.onnx"
MOTION_FILE: Final = "lmdm_v0.4_hubert.pth"

# What a pickled config may consist of, besides plain values.
_HARMLESS: Final = {
    ("numpy", "ndarray"), ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything of one folder, in float32 on the CPU."""

    appearance: AppearanceExtractor
    motion: MotionExtractor
    warp: WarpNetwork
    decoder: Decoder
    stitch: StitchNetwork
    denoiser: MotionDenoiser
    wanted: Wanted
    hubert: Path
    limits: tuple[Any, Any] | None
    """The least and the most of each number of a motion, float32 (265,) each, or None."""


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        ModelMissing: naming the file that is not there or not what it should be.
        ConfigError: if the config does not fit the networks.
    """
    states = {
        name: _state(folder, f"{name}.pth")
        for name in (
            "appearance_extractor", "motion_extractor", "warp_network", "decoder",
            "stitch_network",
        )
    }  # fmt: skip
    states["lmdm"] = _state(folder, MOTION_FILE)
    config = _config(_file(folder, CONFIG))
    audio = cast("dict[str, Any]", config.get("audio2motion_cfg", {}))
    wanted = Wanted(*(bool(audio.get(f"use_{key}", True)) for key in _CONDITIONS))
    try:
        narrow = FEATURES * 2 // len(states["decoder"]["fc.weight"])
        levels = sum(
            "down_blocks" in key and key.endswith(".conv.weight") for key in states["warp_network"]
        )
        width = states["lmdm"]["cond_projection.weight"].shape[1]
    except KeyError as error:
        raise ModelMissing(f"the weights in {folder} are not Ditto's: {error} is missing") from None
    wanted.check(width)
    made = Checkpoint(
        AppearanceExtractor(narrow), MotionExtractor(narrow), WarpNetwork(narrow, levels),
        Decoder(narrow), StitchNetwork(), MotionDenoiser(width, narrow), wanted,
        _file(folder, HUBERT), _limits(config),
    )  # fmt: skip
    networks = (made.appearance, made.motion, made.warp, made.decoder, made.stitch, made.denoiser)
    for network, (name, state) in zip(networks, states.items(), strict=True):
        try:
            network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            reason = str(error).split("\n")[1].strip()
            raise ModelMissing(f"the weights of {name} in {folder} do not fit: {reason}") from None
        network.eval().requires_grad_(False)
    return made


_CONDITIONS = ("emo", "eye_open", "eye_ball", "sc")


def _file(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name)) if folder.is_dir() else []
    if not found:
        raise ModelMissing(f"there is no {name} in {folder}; fetch Ditto: avatar models pull ditto")
    return found[0]


def _state(folder: Path, name: str) -> dict[str, Tensor]:
    """Return a state dict, whichever way it was wrapped."""
    path = _file(folder, name)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise ModelMissing(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    for key in ("model_state_dict", "retarget_shoulder", "state_dict"):
        if isinstance(state, dict) and key in state:
            state = cast("dict[str, Any]", state)[key]
    plain = cast("dict[str, Tensor]", state)
    return {key.removeprefix("module."): value for key, value in plain.items()}


def _config(path: Path) -> dict[str, Any]:
    try:
        read = _Plain(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, OSError) as error:
        raise ModelMissing(f"{path} is not a config of Ditto's: {error}") from None
    if not isinstance(read, dict):
        raise ModelMissing(f"{path} is not a config of Ditto's")
    return cast("dict[str, Any]", read)


def _limits(config: dict[str, Any]) -> tuple[Any, Any] | None:
    defaults = cast("dict[str, Any]", config.get("default_kwargs", {}))
    found = defaults.get("v_min_max_for_clip")
    if found is None:
        return None
    least, most = (np.asarray(side, np.float32).reshape(MOTION) for side in found)
    return least, most


class _Plain(pickle.Unpickler):
    """Reads plain values and arrays; a pickle that wants anything else to run is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
