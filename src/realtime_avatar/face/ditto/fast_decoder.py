"""The decoder as it is served: the same picture from four fifths of the products.

- What the warped features say to all norms of a size is one convolution.
- Where they were enlarged by repeating pixels, taps on the same pixel are added up before
  (`folding`).
- A norm's shift that goes straight into a 1x1 convolution is folded into it.
- Spectral norms are divided out, scales and shifts are one convolution.
"""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from realtime_avatar.face.ditto.decoder import LEAK, Decoder, Spade, SpadeBlock
from realtime_avatar.face.ditto.folding import doubled, interleave, quadrupled, spread


class FastDecoder(nn.Module):
    """See `Decoder`, whose weights it takes."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.fc = _conv(decoder.fc.weight, decoder.fc.bias)
        norms = [norm for block in decoder.middle for norm in (block.norm_0, block.norm_1)]
        self.told = _conv(*_shared(norms))
        self.middle = nn.ModuleList(_Block(block) for block in decoder.middle)
        self.up_0, self.up_1 = _Block(decoder.up_0), _Block(decoder.up_1)
        weight, bias = _shared(_norms(decoder.up_0))
        self.told_0 = _conv(doubled(weight).flatten(0, 2), bias.repeat(4), padding=1)
        weight, bias = _shared(_norms(decoder.up_1))
        self.told_1 = _conv(quadrupled(weight).flatten(0, 2), bias.repeat(9))
        last = cast("nn.Conv2d", decoder.conv_img[0])
        self.last = _conv(last.weight, last.bias)

    def forward(self, feature: Tensor) -> Tensor:
        """Return (batch, 3, 512, 512); see `Decoder.forward`."""
        x = self.fc(feature)
        told = [_said(part) for part in self.told(feature).chunk(len(self.middle) * 2, 1)]
        for number, block in enumerate(self.middle):
            x = block(x, told[2 * number : 2 * number + 2])
        x = self.up_0(x, [_said(interleave(part)) for part in _norms_of(self.told_0(feature), 4)])
        x = self.up_1(x, [_said(spread(part)) for part in _norms_of(self.told_1(feature), 9)])
        return torch.sigmoid(F.pixel_shuffle(self.last(F.leaky_relu(x, LEAK)), 2))


class _Block(nn.Module):
    def __init__(self, block: SpadeBlock) -> None:
        super().__init__()
        self.conv_0 = _conv(block.conv_0.weight(), block.conv_0.bias)
        self.conv_1 = _conv(block.conv_1.weight(), block.conv_1.bias)
        self.norm_0, self.norm_1 = _modulation(block.norm_0), _modulation(block.norm_1)
        self.doubles = block.learned_shortcut
        if self.doubles:
            past = block.conv_s.weight()
            self.conv_s = _conv(past, None)
            gamma, beta = block.norm_s.mlp_gamma, block.norm_s.mlp_beta
            assert gamma.bias is not None
            assert beta.bias is not None
            small = past[:, :, 0, 0]
            folded = torch.einsum("oc,cikl->oikl", small, beta.weight)
            weight = torch.cat([gamma.weight, folded])
            self.norm_s = _conv(weight, torch.cat([gamma.bias + 1, small @ beta.bias]))

    def forward(self, x: Tensor, told: list[Tensor]) -> Tensor:
        calm = _calm(x)
        if self.doubles:
            calm = F.interpolate(calm, scale_factor=2)
            channels = calm.shape[1]
            gamma, past = self.norm_s(told[2]).tensor_split([channels], 1)
            past = past + self.conv_s(calm * gamma)
        else:
            past = x
        y = self.conv_0(_modulate(calm, self.norm_0(told[0])))
        return past + self.conv_1(_modulate(_calm(y), self.norm_1(told[1])))


def _said(part: Tensor) -> Tensor:
    """Return what one norm is told, in memory of its own: a convolution would copy a part."""
    return F.relu(part).contiguous(memory_format=torch.channels_last)


def _norms_of(told: Tensor, copies: int) -> list[Tensor]:
    """Return for each of three norms (batch, height, width, copies, channels)."""
    return list(told.movedim(1, -1).unflatten(-1, (copies, 3, -1)).unbind(-2))


def _calm(x: Tensor) -> Tensor:
    """Return `x` with mean 0 and variance 1 in each channel."""
    # float32: sums over 65,536 pixels.
    var, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
    return ((x - mean) * torch.rsqrt(var + 1e-5)).to(x.dtype)


def _modulate(calm: Tensor, modulation: Tensor) -> Tensor:
    gamma, beta = modulation.chunk(2, 1)
    return F.leaky_relu(calm * gamma + beta, LEAK)


def _norms(block: SpadeBlock) -> list[Spade]:
    return [block.norm_0, block.norm_1, block.norm_s]


def _shared(norms: list[Spade]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of what all these norms make of the features."""
    convs = [cast("nn.Conv2d", norm.mlp_shared[0]) for norm in norms]
    biases = [conv.bias for conv in convs if conv.bias is not None]
    return torch.cat([conv.weight for conv in convs]), torch.cat(biases)


def _modulation(norm: Spade) -> nn.Conv2d:
    gamma, beta = norm.mlp_gamma, norm.mlp_beta
    assert gamma.bias is not None
    assert beta.bias is not None
    return _conv(torch.cat([gamma.weight, beta.weight]), torch.cat([gamma.bias + 1, beta.bias]))


def _conv(weight: Tensor, bias: Tensor | None, *, padding: int | None = None) -> nn.Conv2d:
    """Return a convolution with this weight that keeps the picture's size."""
    outputs, inputs, size, _ = weight.shape
    padding = size // 2 if padding is None else padding
    conv = nn.Conv2d(inputs, outputs, size, padding=padding, bias=bias is not None)
    conv.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv
