"""Weights rewritten so that less has to be computed for the same result."""

from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

EIGHT: Final = 8
"""Tensor cores want channels in multiples of it."""

# Which source pixels the three taps of a kernel fall on, for each place of a pixel's copies:
# rows are (before, itself, after), columns the taps.
_FIRST = [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
_INNER = [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
_LAST = [[0, 0, 0], [1, 1, 0], [0, 0, 1]]


def fold_norm(
    conv: nn.Conv2d | nn.Conv3d, norm: nn.BatchNorm2d | nn.BatchNorm3d
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution that does the batch norm after it, too."""
    assert conv.bias is not None
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = conv.weight * scale.view(-1, *(1,) * (conv.weight.ndim - 1))
    return weight, norm.bias + (conv.bias - norm.running_mean) * scale


def widen(x: Tensor, dim: int, to: int | None = None) -> Tensor:
    """Return `x` with zeros added along `dim`: up to `to`, else a multiple of eight."""
    size = x.shape[dim]
    missing = (-size % EIGHT) if to is None else to - size
    before = x.ndim - 1 - dim % x.ndim
    return F.pad(x, (0, 0) * before + (0, missing))


def doubled(weight: Tensor) -> Tensor:
    """Return the 2x2 kernels of a 3x3 one over pixels that were doubled before.

    Of a doubled picture, the three taps in a row fall on two source pixels only. The
    convolution is then one of the small picture, padded by one all around, whose place
    (y, x) holds what pixel (y - py, x - px) says for the copy (py, px); `interleave` puts
    them in their places. 16 products instead of 36 for each source pixel.

    Args:
        weight: (outputs, inputs, 3, 3).

    Returns:
        (2, 2, outputs, inputs, 2, 2): copy down, copy across, then a kernel.
    """
    first, last = (torch.tensor(taps, dtype=weight.dtype) for taps in (_FIRST, _LAST))
    sides = torch.stack([first[:2], last[1:]]).to(weight.device)
    return torch.einsum("pyi,qxj,ocij->pqocyx", sides, sides, weight)


def interleave(corners: Tensor) -> Tensor:
    """Return the doubled picture of what a convolution by `doubled` kernels gave.

    Args:
        corners: (batch, height + 1, width + 1, 4, channels).

    Returns:
        (batch, channels, 2 height, 2 width), channels last.
    """
    high, wide = corners.shape[1] - 1, corners.shape[2] - 1
    x = corners.unflatten(3, (2, 2))
    rows = [
        torch.stack([x[:, py : py + high, px : px + wide, py, px] for px in (0, 1)], 3)
        for py in (0, 1)
    ]
    both = torch.stack(rows, 2)  # (batch, height, 2, width, 2, channels)
    return both.flatten(3, 4).flatten(1, 2).movedim(-1, 1)


def quadrupled(weight: Tensor) -> Tensor:
    """Return the nine 3x3 kernels of one over pixels that were quadrupled before.

    The inner two of four copies see the same, so three of them a side are enough: 81
    products instead of 144 for each source pixel. `spread` repeats them.

    Returns:
        (3, 3, outputs, inputs, 3, 3): copy down, copy across, then a kernel.
    """
    sides = torch.tensor([_FIRST, _INNER, _LAST], dtype=weight.dtype, device=weight.device)
    return torch.einsum("pyi,qxj,ocij->pqocyx", sides, sides, weight)


def spread(copies: Tensor) -> Tensor:
    """Return the quadrupled picture of what a convolution by `quadrupled` kernels gave.

    Args:
        copies: (batch, height, width, 9, channels).

    Returns:
        (batch, channels, 4 height, 4 width), channels last.
    """
    which = torch.tensor([0, 1, 1, 2], device=copies.device)
    x = copies.unflatten(3, (3, 3))[:, :, :, which[:, None], which]
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2).movedim(-1, 1)


def paired(weight: Tensor) -> Tensor:
    """Return the kernel of pairs of columns that does what a wide one does to columns.

    The two columns of a pair are channels of one, going in and coming out, so that a kernel
    with few outputs fills a tensor core. Of a picture padded by half the kernel's width at
    either side, pair j and those after it are what columns 2 j and 2 j + 1 come from.

    Args:
        weight: (outputs, inputs, rows, columns), columns odd.

    Returns:
        (2 outputs, 2 inputs, rows, (columns + 1) / 2).
    """
    columns = weight.shape[3]
    taps = weight.new_zeros(2, 2, columns // 2 + 1, columns)
    for out in range(2):
        for into in range(2):
            for pair in range(columns // 2 + 1):
                tap = 2 * pair + into - out
                if 0 <= tap < columns:
                    taps[out, into, pair, tap] = 1
    return torch.einsum("qrst,ocyt->qorcys", taps, weight).flatten(0, 1).flatten(1, 2)
