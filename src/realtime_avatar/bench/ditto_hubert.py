"""What hearing costs the neural face: a network of HuBERT large's shape with made-up weights."""

from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from realtime_avatar.face.ditto.graphs import Recorded
from realtime_avatar.face.ditto.hubert import CHUNK, encoder

_STRIDES = (5, 2, 2, 2, 2, 2, 2)
_KERNELS = (10, 3, 3, 3, 3, 2, 2)


class Hubert(nn.Module):
    """Seven convolutions and 24 layers of attention (Hsu et al., 2021); 316 million weights."""

    def __init__(self, width: int = 1024, layers: int = 24) -> None:
        super().__init__()
        self.ears = nn.ModuleList(
            nn.Conv1d(512 if number else 1, 512, kernel, stride)
            for number, (kernel, stride) in enumerate(zip(_KERNELS, _STRIDES, strict=True))
        )
        self.project = nn.Linear(512, width)
        self.place = nn.Conv1d(width, width, 128, padding=64, groups=16)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))

    def forward(self, samples: Tensor) -> Tensor:
        """Return (batch, outputs, 1024). `samples`: (batch, 6480), 16 kHz."""
        x = samples[:, None]
        for conv in self.ears:
            x = F.gelu(conv(x))
        x = self.project(x.transpose(1, 2))
        x = x + F.gelu(self.place(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        return x


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(self.norm_1(x)).unflatten(-1, (3, 16, -1)).permute(2, 0, 3, 1, 4)
        heard = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.out(heard.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


def export(folder: Path) -> Path:
    """Write it as an ONNX file, as the published one is; return the file."""
    torch.manual_seed(0)
    path = folder / "hubert.onnx"
    torch.onnx.export(
        Hubert().eval(), (torch.zeros(1, CHUNK),), path, dynamo=True, external_data=True,
        verbose=False,
    )  # fmt: skip
    return path


def cost(path: Path, threads: tuple[int, ...]) -> dict[str, Any]:
    """Return ms for a stretch of 200 ms: by ONNX Runtime on the CPU, by PyTorch on the GPU."""
    samples = np.random.default_rng(0).standard_normal(CHUNK, np.float32) * np.float32(0.1)
    found: dict[str, Any] = {"onnx_cpu_ms": {}, "torch_gpu_ms_each": {}}
    for count in threads:
        hear = encoder(path, count, "cpu")
        taken: list[float] = []
        for _ in range(8):
            start = perf_counter()
            hear(samples)
            taken.append(1000 * (perf_counter() - start))
        found["onnx_cpu_ms"][str(count)] = median(taken[2:])
    if torch.cuda.is_available():
        from realtime_avatar.bench.ditto_speed import milliseconds

        torch.backends.cuda.matmul.allow_tf32 = True
        for kind in (torch.float32, torch.float16):
            model = Hubert().eval().to("cuda", kind)
            for batch in (1, 8):
                recorded = Recorded(model, torch.randn(batch, CHUNK, device="cuda", dtype=kind))
                name = f"{kind}".removeprefix("torch.") + f", batch {batch}"
                found["torch_gpu_ms_each"][name] = milliseconds(recorded.replay) / batch
    return found
