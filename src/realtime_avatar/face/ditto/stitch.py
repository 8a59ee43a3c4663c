"""Moves keypoints so that the picture meets its surroundings without a seam (LivePortrait)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from realtime_avatar.face.ditto.motion import KEYPOINTS


class StitchNetwork(nn.Module):
    """Two sets of keypoints in, the second one in its better place out."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (2 * 3 * KEYPOINTS, 128, 128, 64)
        self.mlp = nn.Sequential()
        for inputs, outputs in pairwise(sizes):
            self.mlp.extend([nn.Linear(inputs, outputs), nn.ReLU()])
        self.mlp.append(nn.Linear(sizes[-1], 3 * KEYPOINTS + 2))

    def forward(self, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Return the driving keypoints, stitched; all are (batch, 21, 3)."""
        moved = self.mlp(torch.cat([kp_source.flatten(1), kp_driving.flatten(1)], 1))
        each, shift = moved.split([3 * KEYPOINTS, 2], 1)
        together = torch.nn.functional.pad(shift, (0, 1))[:, None]
        return kp_driving + each.view_as(kp_driving) + together
