"""The warp as it is served.

A volume is kept as its slices, (batch depth, channels, height, width), channels last, and a
3-D convolution is a 2-D one of them, with the taps of depth beside the inputs' or the
outputs' channels: the mask's, seven slices thick, has an output for each of them, shifted and
added up after, and does two columns at once (22 outputs would leave most of a tensor core's
tile empty, 308 fill it). Batch norms are folded, channels padded to multiples of eight, and
doublings computed on the small volume (`folding`).

A keypoint moves all places alike, so what it brings where is known for each axis by itself:
no grid, no sampler, one kernel that the compiler writes.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from realtime_avatar.face.ditto.appearance import DEPTH
from realtime_avatar.face.ditto.folding import doubled, fold_norm, interleave, paired, widen
from realtime_avatar.face.ditto.layers import ConvBlock3d
from realtime_avatar.face.ditto.motion import KEYPOINTS
from realtime_avatar.face.ditto.warp import COMPRESSED, LEAK, VARIANCE, WarpNetwork

_MOVES = KEYPOINTS + 1
# Channels of what is seen, in another order than the network's: all blobs but the
# background's empty one, then all that was moved, then three empty ones.
_SEEN = [5 * move for move in range(1, _MOVES)] + [
    5 * move + 1 + channel for move in range(_MOVES) for channel in range(COMPRESSED)
]
_WIDTH = 112
_TAPS = 7


class FastWarp(nn.Module):
    """See `WarpNetwork`, whose weights it takes."""

    def __init__(self, warp: WarpNetwork) -> None:
        super().__init__()
        dense = warp.dense_motion_network
        self.compress = _Conv(*(widen(part, 0) for part in fold_norm(dense.compress, dense.norm)))
        hourglass = dense.hourglass
        downs = [fold_norm(block.conv, block.norm) for block in hourglass.downs]
        first = widen(downs[0][0][:, _SEEN], 1, _WIDTH)
        downs[0] = (first, downs[0][1])
        self.downs = nn.ModuleList(_Conv(weight, bias) for weight, bias in downs)
        self.ups = nn.ModuleList(_Doubling(block) for block in hourglass.ups)
        weight, bias = fold_norm(hourglass.decoder.conv, hourglass.decoder.norm)
        rest = weight.shape[1] - 5 * _MOVES
        order = [*range(rest), *(rest + channel for channel in _SEEN)]
        weight = widen(widen(weight[:, order], 1, rest + _WIDTH), 0)
        self.joined = _Conv(weight, widen(bias, 0))
        width = weight.shape[0]
        mask = widen(dense.mask.weight, 1, width).movedim(2, 0).flatten(0, 1)
        # 154 outputs, and six that are not used.
        self.mask = _frozen(paired(widen(mask, 0)))
        assert dense.mask.bias is not None
        assert dense.occlusion.bias is not None
        self.mask_bias = _frozen(dense.mask.bias)
        # (1, channels depth, 7, 7) -> (depth, channels, taps)
        occlusion = dense.occlusion.weight[0].unflatten(0, (-1, DEPTH)).transpose(0, 1)
        occlusion = widen(widen(occlusion.flatten(2), 1, width), 2)
        self.occlusion = _frozen(occlusion)
        self.occlusion_bias = _frozen(dense.occlusion.bias)
        weight, bias = fold_norm(warp.third.conv, warp.third.norm)
        by_slice = weight.unflatten(1, (-1, DEPTH)).transpose(1, 2).flatten(1, 2)
        self.third = _Conv(by_slice, bias)
        self.fourth = _Conv(warp.fourth.weight, warp.fourth.bias)

    def forward(self, slices: Tensor, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Return what the decoder paints, (batch, 256, height, width), channels last.

        Args:
            slices: (batch, depth, height, width, channels), the portrait's volume.
            kp_source: float32, (batch, 21, 3).
            kp_driving: float32, (batch, 21, 3).
        """
        batch, _, high, wide, _ = slices.shape
        axes = [torch.linspace(-1, 1, size, device=slices.device) for size in (DEPTH, high, wide)]
        shift = F.pad(kp_source - kp_driving, (0, 0, 1, 0))
        x = self._seen(slices, axes, shift, kp_source, kp_driving)
        sizes = [x]
        for down in self.downs:
            sizes.append(F.avg_pool2d(F.relu(down(sizes[-1])), 2))
        x = sizes.pop()
        for up in self.ups:
            x = torch.cat([F.relu(up(x)), sizes.pop()], 1)
        x = F.relu(self.joined(x))
        visible = self._visible(x, batch)
        share = self._share(x)
        moved = _moved(slices, axes, torch.einsum("bdhwk,bkc->bdhwc", share, shift))
        moved = moved.permute(0, 2, 3, 1, 4).flatten(3).movedim(-1, 1)
        return self.fourth(F.leaky_relu(self.third(moved), LEAK)) * visible

    def _seen(
        self, slices: Tensor, axes: list[Tensor], shift: Tensor, source: Tensor, driving: Tensor
    ) -> Tensor:
        """Return blobs and moved pieces, (batch depth, 112, height, width)."""
        small = F.relu(self.compress(slices.flatten(0, 1).movedim(-1, 1)))
        small = small.movedim(1, -1)[..., :COMPRESSED].unflatten(0, (-1, DEPTH))
        heat = _blobs(axes, driving) - _blobs(axes, source)
        # For z, y, x: (batch, places, moves) each.
        wheres = [
            axis[None, :, None] + shift[:, None, :, 2 - number] for number, axis in enumerate(axes)
        ]
        number = torch.arange(len(slices), device=slices.device)[:, None, None, None, None]
        z, y, x = (_neighbours(where, len(axis)) for where, axis in zip(wheres, axes, strict=True))
        deformed = torch.zeros((), device=slices.device)
        for z_at, z_share in z:
            for y_at, y_share in y:
                for x_at, x_share in x:
                    at = (z_at[:, :, None, None], y_at[:, None, :, None], x_at[:, None, None])
                    part = (z_share[:, :, None, None] * y_share[:, None, :, None]) * x_share[
                        :, None, None
                    ]
                    deformed = deformed + small[number, *at] * part[..., None]
        seen = torch.cat([heat.to(slices.dtype), deformed.to(slices.dtype).flatten(4)], -1)
        return widen(seen, -1).flatten(0, 1).movedim(-1, 1)

    def _share(self, x: Tensor) -> Tensor:
        """Return how much each move has of each place, (batch, depth, height, width, moves)."""
        half = _TAPS // 2
        pairs = F.pad(x.movedim(1, -1), (0, 0, half, half)).unflatten(2, (-1, 2)).flatten(3)
        taps = F.conv2d(pairs.movedim(-1, 1), self.mask, padding=(half, 0)).movedim(1, -1)
        taps = taps.unflatten(-1, (2, -1)).flatten(2, 3)[..., : _TAPS * _MOVES].float()
        return torch.softmax(_add_up(taps, _TAPS) + self.mask_bias, -1)

    def _visible(self, x: Tensor, batch: int) -> Tensor:
        """Return how much can be seen, (batch, 1, height, width)."""
        high, wide = x.shape[2:]
        rows = x.movedim(1, -1).reshape(batch, DEPTH, high * wide, -1)
        # One output: as products of pixels and taps, which are then shifted and added up.
        taps = torch.matmul(rows, self.occlusion).float().sum(1).unflatten(1, (high, wide))
        taps = F.pad(taps, (0, 0) + (_TAPS // 2,) * 4)
        parts = [
            taps[:, y : y + high, x : x + wide, y * _TAPS + x]
            for y in range(_TAPS)
            for x in range(_TAPS)
        ]
        seen = torch.sigmoid(sum(parts[1:], parts[0]) + self.occlusion_bias.float())
        return seen[:, None].to(x.dtype)


class _Conv(nn.Module):
    """A convolution of slices that keeps their size.

    One that is three slices thick is computed as a thin one: of each slice and its
    neighbours, channels beside; or, where the outputs are no more than the inputs, with
    three outputs for each, shifted and added up. Either way the smaller side is tripled.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        outputs, inputs, *size = weight.shape
        self.thick = len(size) == 3 and size[0] == 3
        self.sums = self.thick and outputs <= inputs
        if self.sums:
            weight = weight.movedim(2, 0).flatten(0, 1)
        elif len(size) == 3:
            weight = weight.transpose(1, 2).flatten(1, 2)
        self.padding = size[-1] // 2
        self.weight = _frozen(weight)
        self.bias = None if bias is None else _frozen(bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.sums:
            taps = F.conv2d(x, self.weight, padding=self.padding).movedim(1, -1)
            y = _add_up(taps, 3)
            y = y.flatten(0, 1)
            y = y if self.bias is None else y + self.bias
            return y.movedim(-1, 1)
        x = _beside(x) if self.thick else x
        return F.conv2d(x, self.weight, self.bias, padding=self.padding)


class _Doubling(nn.Module):
    """A convolution of slices that were doubled before."""

    def __init__(self, block: ConvBlock3d) -> None:
        super().__init__()
        weight, bias = fold_norm(block.conv, block.norm)
        outputs, inputs = weight.shape[:2]
        small = doubled(weight.transpose(1, 2).flatten(1, 2)).unflatten(3, (3, inputs))
        self.conv = _Conv(small.flatten(0, 2).transpose(1, 2), bias.repeat(4))
        self.conv.padding = 1
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        corners = self.conv(x).movedim(1, -1).unflatten(-1, (4, self.outputs))
        return interleave(corners)


def _frozen(x: Tensor) -> nn.Parameter:
    return nn.Parameter(x.detach().clone(memory_format=torch.contiguous_format), False)


def _add_up(x: Tensor, taps: int) -> Tensor:
    """Return the sums over taps of depth, (batch, depth, height, width, channels / taps).

    Args:
        x: (batch depth, height, width, channels): for each tap, what a slice gives to that
            which is as far away as the tap is from the middle.
        taps: How many, odd.
    """
    x = x.unflatten(0, (-1, DEPTH)).unflatten(-1, (taps, -1))
    parts: list[Tensor] = []
    for tap in range(taps):
        away = tap - taps // 2
        part = x[:, max(0, away) : DEPTH + min(0, away), ..., tap, :]
        parts.append(F.pad(part, (0, 0) * 3 + (max(0, -away), max(0, away))))
    return sum(parts[1:], parts[0])


def _beside(x: Tensor) -> Tensor:
    """Return each slice between the one before and the one after it, channels beside."""
    slices = F.pad(x.movedim(1, -1).unflatten(0, (-1, DEPTH)), (0, 0) * 3 + (1, 1))
    three = torch.cat([slices[:, tap : tap + DEPTH] for tap in range(3)], -1)
    return three.flatten(0, 1).movedim(-1, 1)


def _blobs(axes: list[Tensor], keypoints: Tensor) -> Tensor:
    """Return Gaussians, (batch, depth, height, width, keypoints)."""
    z, y, x = (
        torch.exp((axis[None, :, None] - keypoints[:, None, :, 2 - number]).square() * scale)
        for number, axis in enumerate(axes)
        for scale in (-0.5 / VARIANCE,)
    )
    return z[:, :, None, None] * y[:, None, :, None] * x[:, None, None]


def _neighbours(where: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    """Return the two places beside each coordinate in [-1, 1] and their shares of it.

    As PyTorch's `grid_sample` has it without aligned corners: beyond the edge is nothing.
    """
    place = ((where + 1) * size - 1) / 2
    low = place.floor()
    found: list[tuple[Tensor, Tensor]] = []
    for at, share in ((low, 1 - (place - low)), (low + 1, place - low)):
        inside = (at >= 0) & (at < size)
        found.append((at.clamp(0, size - 1).long(), share * inside))
    return found


def _moved(slices: Tensor, axes: list[Tensor], shift: Tensor) -> Tensor:
    """Return the volume, each place taken from where `shift` says."""
    views = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
    z, y, x = (
        _neighbours(axis.view(view) + shift[..., 2 - number], len(axis))
        for number, (axis, view) in enumerate(zip(axes, views, strict=True))
    )
    number = torch.arange(len(slices), device=slices.device)[:, None, None, None]
    moved = torch.zeros((), device=slices.device)
    for z_at, z_share in z:
        for y_at, y_share in y:
            for x_at, x_share in x:
                part = slices[number, z_at, y_at, x_at]
                moved = moved + part * (z_share * y_share * x_share)[..., None]
    return moved.to(slices.dtype)
