"""The motion network: a causal dilated TCN whose outputs are at 50 Hz.

Two stages: a stem that takes 64 log-mel bands from 100 to 50 Hz, and residual blocks of
dilated causal convolutions at 50 Hz. It is written twice over the same weights: `forward`
for whole clips and `step` for streams, which carries what each convolution still has to
remember; only `step` is exported.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

BANDS = 64
AHEAD = 6  # frames at 50 Hz: the network sees 120 ms beyond the frame it answers for


class CausalConv(nn.Module):
    """A convolution that sees nothing to come; `memory` frames of the past."""

    def __init__(self, inward: int, outward: int, kernel: int, dilation: int = 1, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(inward, outward, kernel, stride, dilation=dilation)
        self.memory = (kernel - 1) * dilation - (stride - 1)

    def forward(self, x: Tensor, slower: int = 1) -> Tensor:
        """Convolve a whole clip, given at a rate `slower` times lower than the layer's."""
        memory, dilation = self.memory // slower, self.conv.dilation[0] // slower
        x = functional.pad(x, (memory, 0))
        return functional.conv1d(x, self.conv.weight, self.conv.bias, self.conv.stride, 0, dilation)

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([past, x], 2)
        return self.conv(x), x[:, :, -self.memory :]


class Block(nn.Module):
    def __init__(self, channels: int, dilation: int, dropout: float):
        super().__init__()
        self.dilated = CausalConv(channels, channels, 3, dilation)
        self.point = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout1d(dropout)
        self.scale = nn.Parameter(torch.full((1, channels, 1), 0.3))

    def after(self, x: Tensor, seen: Tensor) -> Tensor:
        y = self.point(functional.silu(seen))
        return functional.silu(x + self.scale * self.dropout(y))

    def forward(self, x: Tensor, slower: int) -> Tensor:
        return self.after(x, self.dilated(x, slower))

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        seen, past = self.dilated.step(x, past)
        return self.after(x, seen), past


class MotionNetwork(nn.Module):
    """Mels at 100 Hz to weights at 50 Hz.

    Only the first block has an odd dilation. The labels are at 25 Hz, so in training the
    others need not compute what falls between two labels: half the work, the same function.
    """

    def __init__(
        self,
        units: int,
        channels: int = 144,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 2, 4, 8),
        dropout: float = 0.1,
    ):
        super().__init__()
        self.hyper = {"units": units, "channels": channels, "dilations": dilations}
        self.stem = nn.ModuleList(
            [CausalConv(BANDS, channels, 3), CausalConv(channels, channels, 4, stride=2)]
        )
        self.blocks = nn.ModuleList(Block(channels, d, dropout) for d in dilations)
        self.head = nn.Conv1d(channels, units, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, units, frames) at 25 Hz for mels (batch, 64, 4 frames + 2 AHEAD)."""
        for layer in self.stem:
            x = functional.silu(layer(x))
        first, *others = self.blocks
        x = first(x, 1)[:, :, 1::2]
        for block in others:
            x = block(x, 2)
        return self.head(x)[:, :, AHEAD // 2 :]

    def step(self, x: Tensor, *pasts: Tensor) -> tuple[Tensor, ...]:
        after: list[Tensor] = []
        for layer, past in zip(self.stem, pasts, strict=False):
            x, kept = layer.step(x, past)
            x = functional.silu(x)
            after.append(kept)
        for block, past in zip(self.blocks, pasts[len(self.stem) :], strict=True):
            x, kept = block.step(x, past)
            after.append(kept)
        return self.head(x), *after

    def pasts(self) -> list[Tensor]:
        """Return the memory of a stream that begins in silence."""
        convs = [*self.stem, *(block.dilated for block in self.blocks)]
        return [torch.zeros(1, c.conv.in_channels, c.memory) for c in convs]
