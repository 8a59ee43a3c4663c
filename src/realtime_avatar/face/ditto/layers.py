"""Blocks that several of the networks are built of.

Attribute names are those of the published checkpoints.
"""

from itertools import pairwise
from typing import Literal, cast

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor, nn


class ConvBlock2d(nn.Module):
    """A 3x3 convolution, batch norm and rectifier, then 2x2 averaging if `halve`.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        halve: Whether height and width are halved.
        leak: The rectifier's slope below zero.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool = False, leak: float = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self._halve, self._leak = halve, leak

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.norm(self.conv(x)), self._leak)
        return F.avg_pool2d(x, 2) if self._halve else x


class ConvBlock3d(nn.Module):
    """A 3x3x3 convolution, batch norm and ReLU, with a change of height and width.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        resize: "halve" averages 2x2 after, "double" repeats each pixel 2x2 before. Depth
            stays as it is.
    """

    def __init__(self, inputs: int, outputs: int, resize: Literal["halve", "double"]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)
        self._resize = resize

    def forward(self, x: Tensor) -> Tensor:
        if self._resize == "double":
            x = F.interpolate(x, scale_factor=(1, 2, 2))
        x = F.relu(self.norm(self.conv(x)))
        return F.avg_pool3d(x, (1, 2, 2)) if self._resize == "halve" else x


class ResidualBlock3d(nn.Module):
    """Norm, ReLU and convolution, twice, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class Hourglass(nn.Module):
    """Halvings and doublings of a volume, joined at every size (a 3-D U-Net)."""

    def __init__(self, width: int, inputs: int, *, levels: int, widest: int) -> None:
        super().__init__()
        widths = [min(widest, width * 2**level) for level in range(levels + 1)]
        self.encoder = _Encoder([inputs, *widths[1:]])
        self.decoder = _Decoder(widths, inputs)
        self.outputs = width + inputs

    @property
    def downs(self) -> list[ConvBlock3d]:
        """The blocks that halve."""
        return [cast("ConvBlock3d", block) for block in self.encoder.down_blocks]

    @property
    def ups(self) -> list[ConvBlock3d]:
        """The blocks that double."""
        return [cast("ConvBlock3d", block) for block in self.decoder.up_blocks]

    def forward(self, x: Tensor) -> Tensor:
        sizes = [x]
        for block in self.downs:
            sizes.append(block(sizes[-1]))
        x = sizes.pop()
        for block in self.ups:
            x = torch.cat([block(x), sizes.pop()], 1)
        return F.relu(self.decoder.norm(self.decoder.conv(x)))


class _Encoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(
            ConvBlock3d(before, after, "halve") for before, after in pairwise(widths)
        )


class _Decoder(nn.Module):
    def __init__(self, widths: list[int], inputs: int) -> None:
        super().__init__()
        falling = list(pairwise(reversed(widths)))
        # All but the first get as much again from the encoder.
        self.up_blocks = nn.ModuleList(
            ConvBlock3d(before * (2 if number else 1), after, "double")
            for number, (before, after) in enumerate(falling)
        )
        outputs = widths[0] + inputs
        self.conv = nn.Conv3d(outputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)


class SpectralConv2d(nn.Module):
    """A convolution whose weight is divided by its largest singular value.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018. The
    singular vectors `weight_u` and `weight_v` come with the checkpoint and are not refined.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None
        self.register_buffer("weight_u", torch.empty(outputs))
        self.register_buffer("weight_v", torch.empty(inputs * size * size))
        self._padding = size // 2

    def weight(self) -> Tensor:
        """Return the normalised weight, (outputs, inputs, size, size)."""
        largest = self.weight_u @ self.weight_orig.flatten(1) @ self.weight_v
        return self.weight_orig / largest

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight(), self.bias, padding=self._padding)
