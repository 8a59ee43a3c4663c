"""Writes the network's streaming step as ONNX, with what it needs beside it."""

import json
from pathlib import Path

import onnx
import torch
from network import AHEAD, MotionNetwork
from torch import nn


class _Step(nn.Module):
    def __init__(self, net: MotionNetwork):
        super().__init__()
        self.net = net

    def forward(self, mels, *pasts):
        return self.net.step(mels, *pasts)


def export(net: MotionNetwork, prior, silent, units, path: Path) -> None:
    """Write `path`: inputs `mels` (1, 64, 2 n) and `past0`…; outputs `weights`
    (1, units, n) at 50 Hz and `next0`…, to be given back as `past0`….

    The metadata hold `units` (names), `prior` (64 floats, for `Leveller`), `rest` (what
    each unit is when nobody speaks) and `ahead` (frames at 50 Hz).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pasts = net.pasts()
    torch.onnx.export(
        _Step(net).eval(),
        (torch.zeros(1, 64, 4), *pasts),
        str(path),
        input_names=["mels", *(f"past{i}" for i in range(len(pasts)))],
        output_names=["weights", *(f"next{i}" for i in range(len(pasts)))],
        dynamic_axes={"mels": {2: "frames"}, "weights": {2: "half"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    for key, value in (
        ("units", list(units)),
        ("prior", [round(float(x), 4) for x in prior]),
        ("rest", [round(float(x), 5) for x in silent]),
        ("ahead", AHEAD),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.save(model, str(path))
