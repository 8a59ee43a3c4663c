"""Moves the volume of features from the portrait's keypoints to others (LivePortrait's W)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from realtime_avatar.face.ditto.appearance import CHANNELS, DEPTH
from realtime_avatar.face.ditto.layers import ConvBlock2d, Hourglass
from realtime_avatar.face.ditto.motion import KEYPOINTS

COMPRESSED = 4  # channels that are enough to see where a piece has gone
VARIANCE = 0.01  # of the blob around a keypoint, in units of half the volume's side
LEAK = 0.01


class WarpNetwork(nn.Module):
    """Volume and two sets of keypoints in, a map for the decoder out.

    Args:
        narrow: What the widths are divided by.
        levels: Halvings of the hourglass; the volume's sides are multiples of 2 ** levels.
    """

    def __init__(self, narrow: int = 1, levels: int = 5) -> None:
        super().__init__()
        width = 256 // narrow
        self.dense_motion_network = DenseMotion(narrow, levels)
        self.third = ConvBlock2d(CHANNELS // narrow * DEPTH, width, leak=LEAK)
        self.fourth = nn.Conv2d(width, width, 1)

    def forward(self, feature_3d: Tensor, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Return what the decoder paints.

        Args:
            feature_3d: (batch, 32, 16, 64, 64), from the appearance extractor.
            kp_source: (batch, 21, 3), where the portrait's keypoints are, in [-1, 1].
            kp_driving: (batch, 21, 3), where they should be.

        Returns:
            (batch, 256, 64, 64).
        """
        grid, visible = self.dense_motion_network(feature_3d, kp_source, kp_driving)
        moved = F.grid_sample(feature_3d, grid, align_corners=False)
        return self.fourth(self.third(moved.flatten(1, 2))) * visible


class DenseMotion(nn.Module):
    """From the moves of keypoints to a move for every place of the volume."""

    def __init__(self, narrow: int, levels: int) -> None:
        super().__init__()
        seen = (KEYPOINTS + 1) * (COMPRESSED + 1)
        self.hourglass = Hourglass(32 // narrow, seen, levels=levels, widest=1024 // narrow)
        self.mask = nn.Conv3d(self.hourglass.outputs, KEYPOINTS + 1, 7, padding=3)
        self.compress = nn.Conv3d(CHANNELS // narrow, COMPRESSED, 1)
        self.norm = nn.BatchNorm3d(COMPRESSED)
        self.occlusion = nn.Conv2d(self.hourglass.outputs * DEPTH, 1, 7, padding=3)

    def forward(
        self, feature_3d: Tensor, kp_source: Tensor, kp_driving: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the way of each place, and how much of it can be seen.

        Returns:
            Where it comes from, (batch, depth, height, width, 3): x, y, z in [-1, 1]; and
            (batch, 1, height, width) in [0, 1].
        """
        small = F.relu(self.norm(self.compress(feature_3d)))
        batch, _, *shape = small.shape
        here = places(shape, kp_source.dtype, kp_source.device)
        # The first of the moves is that of the background, which stays.
        shift = F.pad(kp_source - kp_driving, (0, 0, 1, 0))
        moves = here + shift[:, :, None, None, None]
        copies = small.repeat_interleave(KEYPOINTS + 1, 0)
        deformed = F.grid_sample(copies, moves.flatten(0, 1), align_corners=False)
        deformed = deformed.unflatten(0, (batch, KEYPOINTS + 1))
        heat = blobs(here, kp_driving) - blobs(here, kp_source)
        seen = torch.cat([F.pad(heat, (0,) * 6 + (1, 0))[:, :, None], deformed], 2)
        x = self.hourglass(seen.flatten(1, 2))
        share = torch.softmax(self.mask(x), 1)
        grid = torch.einsum("bkdhw,bkdhwc->bdhwc", share, moves)
        return grid, torch.sigmoid(self.occlusion(x.flatten(1, 2)))


def places(shape: list[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return x, y, z of every place of a volume, (depth, height, width, 3), -1 to 1."""
    axes = [torch.linspace(-1, 1, size, dtype=dtype, device=device) for size in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1)


def blobs(here: Tensor, keypoints: Tensor) -> Tensor:
    """Return a Gaussian around each keypoint, (batch, keypoints, depth, height, width)."""
    apart = here - keypoints[:, :, None, None, None]
    return torch.exp(apart.square().sum(-1) / (-2 * VARIANCE))
