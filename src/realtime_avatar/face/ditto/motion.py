"""Where the face is and what it does, as keypoints (LivePortrait's M).

The backbone is ConvNeXt V2 tiny: Woo et al., CVPR 2023.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

KEYPOINTS, BINS = 21, 66
_EPSILON = 1e-6


class Measured(NamedTuple):
    """What is measured on a picture, in the order of the published network's outputs.

    Attributes:
        pitch: (batch, 66), a score for each of 66 angles 3 degrees apart; so `yaw`, `roll`.
        yaw: As `pitch`.
        roll: As `pitch`.
        t: (batch, 3), translation.
        exp: (batch, 63), what the expression adds to each keypoint's x, y, z.
        scale: (batch, 1).
        kp: (batch, 63), keypoints of the face at rest, seen from the front.
    """

    pitch: Tensor
    yaw: Tensor
    roll: Tensor
    t: Tensor
    exp: Tensor
    scale: Tensor
    kp: Tensor


class MotionExtractor(nn.Module):
    """Picture in, pose and expression out."""

    def __init__(self, narrow: int = 1) -> None:
        super().__init__()
        widths = (96, 192, 384, 768)
        self.detector = _ConvNeXt((3, 3, 9, 3), tuple(width // narrow for width in widths))

    def forward(self, picture: Tensor) -> Measured:
        """Measure a face.

        Args:
            picture: float, (batch, 3, 256, 256), RGB in [0, 1], cut as `enrol` does.
        """
        return self.detector(picture)


class _ConvNeXt(nn.Module):
    def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), _ChannelNorm(widths[0]))]
        )
        for narrow, wide in pairwise(widths):
            self.downsample_layers.append(
                nn.Sequential(_ChannelNorm(narrow), nn.Conv2d(narrow, wide, 2, 2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(width) for _ in range(depth)))
            for depth, width in zip(depths, widths, strict=True)
        )
        last = widths[-1]
        self.norm = nn.LayerNorm(last, eps=_EPSILON)
        self.fc_kp = nn.Linear(last, 3 * KEYPOINTS)
        self.fc_scale = nn.Linear(last, 1)
        self.fc_pitch = nn.Linear(last, BINS)
        self.fc_yaw = nn.Linear(last, BINS)
        self.fc_roll = nn.Linear(last, BINS)
        self.fc_t = nn.Linear(last, 3)
        self.fc_exp = nn.Linear(last, 3 * KEYPOINTS)

    def forward(self, x: Tensor) -> Measured:
        for shrink, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(shrink(x))
        x = self.norm(x.mean((2, 3)))
        return Measured(
            self.fc_pitch(x), self.fc_yaw(x), self.fc_roll(x), self.fc_t(x), self.fc_exp(x),
            self.fc_scale(x), self.fc_kp(x),
        )  # fmt: skip


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (batch, channels, height, width)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as in nn.LayerNorm
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.grn = _ResponseNorm(4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).movedim(1, -1))
        y = self.pwconv2(self.grn(F.gelu(self.pwconv1(y))))
        return x + y.movedim(-1, 1)


class _ResponseNorm(nn.Module):
    """Global response normalisation over (batch, height, width, channels)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        # Sums of squares over a whole picture leave float16's range.
        size = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True, dtype=torch.float32)
        relative = (size / (size.mean(-1, keepdim=True) + _EPSILON)).to(x.dtype)
        return x + self.gamma * (x * relative) + self.beta
