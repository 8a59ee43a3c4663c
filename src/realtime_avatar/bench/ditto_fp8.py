"""Whether 8-bit floats would make the decoder faster, at what error."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from realtime_avatar.bench.ditto_speed import milliseconds


@torch.inference_mode()
def fp8(batch: int = 8) -> dict[str, Any]:
    """Compare one of the decoder's 3x3 convolutions, 512 to 512 channels at 64x64.

    PyTorch has products of 8-bit matrices and no such convolution: pixels are laid out beside
    their neighbours first.
    """
    x = torch.randn(batch, 512, 64, 64, device="cuda", dtype=torch.float16)
    x = x.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(512, 512, 3, 3, device="cuda", dtype=torch.float16) / 4608**0.5
    weight = weight.contiguous(memory_format=torch.channels_last)
    wanted = F.conv2d(x.float(), weight.float(), padding=1).movedim(1, -1).flatten(0, 2)
    half = F.conv2d(x, weight, padding=1).movedim(1, -1).flatten(0, 2)
    kind = torch.float8_e4m3fn
    columns = weight.permute(0, 2, 3, 1).flatten(1)
    scale = columns.abs().amax(1, keepdim=True).float() / 448
    small = (columns / scale).to(kind)

    def laid_out() -> tuple[Any, Any]:
        padded = F.pad(x.movedim(1, -1), (0, 0, 1, 1, 1, 1))
        top = padded.abs().amax().float() / 448
        eight = (padded / top).to(kind)
        rows = eight.unfold(1, 3, 1).unfold(2, 3, 1)  # (batch, 64, 64, 512, 3, 3)
        return rows.permute(0, 1, 2, 4, 5, 3).reshape(-1, 4608), top

    rows, top = laid_out()
    ones = torch.ones(len(rows), 1, device="cuda") * top

    def product() -> Any:
        return torch._scaled_mm(  # pyright: ignore
            rows, small.T, scale_a=ones, scale_b=scale.T.contiguous(), out_dtype=torch.bfloat16
        )

    def error(found: Any) -> float:
        return float((found.float() - wanted).norm() / wanted.norm())

    return {
        "convolution_fp16_ms": milliseconds(lambda: F.conv2d(x, weight, padding=1)),
        "product_fp8_ms": milliseconds(product),
        "laying_out_fp8_ms": milliseconds(laid_out),
        "error_fp16": error(half),
        "error_fp8": error(product()),
    }
