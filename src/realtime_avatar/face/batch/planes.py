"""What video encoders take of pictures, for many at once, as a Triton kernel."""

# ruff: noqa: N803
# pyright: basic
# pyright: reportMissingImports=false, reportUndefinedVariable=false

import triton
import triton.language as tl


@triton.jit
def nv12(painted, planes, height, width, BLOCK: tl.constexpr = 256):
    """Write pictures in NV12, see `media.picture.Frame`; chroma is the mean of four pixels.

    Args:
        painted: uint8 RGB (pictures, height, width, 3), both sides even.
        planes: uint8 (pictures, height * 3 / 2, width).
        height: Of the pictures.
        width: Of the pictures.
        BLOCK: Fours of pixels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    picture = tl.program_id(1).to(tl.int64)
    half = width // 2
    here = at < half * (height // 2)
    at = tl.where(here, at, 0)
    x, y = at % half * 2, at // half * 2
    painted += picture * height * width * 3
    planes += picture * (height * width // 2 * 3)
    blue = tl.zeros([BLOCK], tl.float32)
    red = tl.zeros([BLOCK], tl.float32)
    for dy in tl.static_range(2):
        for dx in tl.static_range(2):
            pixel = (y + dy) * width + x + dx
            r = tl.load(painted + 3 * pixel, mask=here, other=0).to(tl.float32)
            g = tl.load(painted + 3 * pixel + 1, mask=here, other=0).to(tl.float32)
            b = tl.load(painted + 3 * pixel + 2, mask=here, other=0).to(tl.float32)
            luma = 16.5 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
            tl.store(planes + pixel, luma.to(tl.uint8), mask=here)
            blue += (112.0 * b - 37.797 * r - 74.203 * g) / 1020
            red += (112.0 * r - 93.786 * g - 18.214 * b) / 1020
    pair = planes + height * width + 2 * at
    tl.store(pair, (blue + 128.5).to(tl.uint8), mask=here)
    tl.store(pair + 1, (red + 128.5).to(tl.uint8), mask=here)
