"""A folder as Ditto's is published, of small networks with made-up weights."""

import atexit
import pickle
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NARROW, LEVELS = 16, 2
SIDE = 64
"""Of the square that these networks move, pixels."""

CONFIG = {
    "audio2motion_cfg": {
        "use_emo": True, "use_sc": True, "use_eye_open": True, "use_eye_ball": True,
    },
    "default_kwargs": {
        "v_min_max_for_clip": np.stack([np.full(265, -30.0), np.full(265, 30.0)]),
    },
}  # fmt: skip


@cache
def narrow_checkpoint() -> Path:
    """Return the folder; made once."""
    for name in ("torch", "onnx"):
        pytest.importorskip(name, reason=f"{name} is not installed (the extra gpu)")
    folder = Path(tempfile.mkdtemp(prefix="ditto-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write(folder)


def write(folder: Path, config: dict[str, Any] = CONFIG, condition: int = 1103) -> Path:
    """Write the files and return the folder. `condition`: numbers that a frame is told."""
    import torch

    from realtime_avatar.bench.ditto_weights import weights
    from realtime_avatar.face.ditto.networks import NETWORKS

    models = folder / "ditto_pytorch" / "models"
    for path in (models, folder / "ditto_pytorch" / "aux_models", folder / "ditto_cfg"):
        path.mkdir(parents=True)
    for name, make in NETWORKS.items():
        more = {"lmdm": {"condition": condition}, "warp_network": {"levels": LEVELS}}
        given = {} if name == "stitch_network" else {"narrow": NARROW} | more.get(name, {})
        network: Any = make(**given)
        state = weights(network.state_dict())
        match name:
            case "lmdm":
                torch.save({"model_state_dict": state}, models / "lmdm_v0.4_hubert.pth")
            case "stitch_network":
                wrapped = {f"module.{key}": value for key, value in state.items()}
                torch.save({"retarget_shoulder": wrapped}, models / f"{name}.pth")
            case _:
                torch.save(state, models / f"{name}.pth")
    (folder / "ditto_cfg" / "v0.4_hubert_cfg_pytorch.pkl").write_bytes(pickle.dumps(config))
    _write_hubert(folder / "ditto_pytorch" / "aux_models" / "hubert_streaming_fix_kv.onnx")
    return folder


def _write_hubert(path: Path) -> None:
    """Write a network with HuBERT's inputs and outputs: one convolution."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    kernel = np.random.default_rng(0).standard_normal((1024, 1, 400), np.float32) / 20
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "axis"], ["one"]),
        helper.make_node("Conv", ["one", "kernel"], ["heard"], strides=[320]),
        helper.make_node("Tanh", ["heard"], ["soft"]),
        helper.make_node("Transpose", ["soft"], ["encoding_out"], perm=[0, 2, 1]),
    ]
    given = helper.make_tensor_value_info("input_values", TensorProto.FLOAT, [1, None])
    made = helper.make_tensor_value_info("encoding_out", TensorProto.FLOAT, [1, None, 1024])
    constants = [
        numpy_helper.from_array(np.array([1]), "axis"), numpy_helper.from_array(kernel, "kernel"),
    ]  # fmt: skip
    graph = helper.make_graph(nodes, "hubert", [given], [made], constants)
    opset = [helper.make_opsetid("", 17)]
    save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
