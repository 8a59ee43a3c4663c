"""Writes a trained draft head as the product reads it: `python export.py head.pt out.gguf`.

Matrices are [outputs, inputs], in four bits: blocks of 32 inputs, a scale and a least value.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from head import BLOCK, WINDOW
from numpy.typing import NDArray

MATRICES = ("fc", "q", "k", "v", "o", "gate", "up", "down")
NORMS = ("norm_e", "norm_h", "norm_attn", "norm_ffn", "norm_out")


def q4_1(matrix: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a matrix in GGUF's Q4_1, [outputs, bytes]; see `head.quantised`."""
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    least, most = blocks.min(-1, keepdims=True), blocks.max(-1, keepdims=True)
    scale = np.maximum(((most - least) / 15).astype(np.float16), np.float16(1e-7))
    least = least.astype(np.float16)
    steps = (blocks - least.astype(np.float32)) / scale.astype(np.float32)
    bits = np.clip(np.rint(steps), 0, 15).astype(np.uint8)
    half = BLOCK // 2
    packed = bits[..., :half] | bits[..., half:] << 4
    return np.concatenate(
        [scale.view(np.uint8), least.view(np.uint8), packed], -1
    ).reshape(len(matrix), -1)  # fmt: skip


def main(head: Path, out: Path) -> None:
    saved = torch.load(head, map_location="cpu")
    writer = GGUFWriter(out, "draft")
    writer.add_name("Realtime Avatar draft head for Qwen2.5-Coder-1.5B-Instruct")
    writer.add_license("apache-2.0")
    writer.add_uint32("draft.window", WINDOW)
    writer.add_array("draft.vocabulary", [int(token) for token in saved["vocabulary"]])
    # Rounded as the weights that were measured.
    weights = {
        name: saved["weights"][f"{name}.weight"].half().float().numpy()
        for name in (*MATRICES, *NORMS)
    }
    for name in MATRICES:
        writer.add_tensor(name, q4_1(weights[name]), raw_dtype=GGMLQuantizationType.Q4_1)
    for name in NORMS:
        writer.add_tensor(name, weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
