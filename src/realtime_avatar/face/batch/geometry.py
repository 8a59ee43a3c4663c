"""Where the meshes of many portraits are, and their mouths; what `rig.Renderer` does for one."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_avatar.face import eyes, render
from realtime_avatar.face.batch.portrait import Portrait, chains
from realtime_avatar.face.mouth import CHIN
from realtime_avatar.face.rig import CAMERA, TONGUE, rounded, shaped

Floats = NDArray[np.float32]

_LEAST: Final = 0.02  # rounding below which lips are not pursed
_GAP: Final = 0.004  # between lips that are closed, eyes


def told(portraits: Sequence[Portrait], weights: Floats, poses: Floats) -> Floats:
    """Return what pictures are told: weights, the head's matrix and spot, mouth, eyes.

    Args:
        portraits: One for each.
        weights: ARKit, (pictures, 52).
        poses: As rows of `Motion.pose`, (pictures, 6).

    Returns:
        (pictures, 74).
    """
    matrix = render.rotation(poses[:, :3])
    scale = np.array([[portrait.eyes] for portrait in portraits], np.float32)
    pivot = np.stack([portrait.pivot for portrait in portraits])
    shift = poses[:, 3:] * (1, -1, -1) * scale
    spot = pivot + shift - np.einsum("prc,pc->pr", matrix, pivot)
    mouth = np.stack([weights[:, TONGUE], rounded(weights)], 1)
    state = eyes.pose(weights).reshape(len(weights), -1)
    opens = np.stack([portrait.opens for portrait in portraits])
    parts = (shaped(weights, opens), matrix.reshape(-1, 9), spot, mouth, state)
    return np.concatenate(parts, 1).astype(np.float32)


class Geometry:
    """Places meshes.

    Args:
        device: Where.
    """

    def __init__(self, device: torch.device) -> None:
        parts = (*chains(), np.array(CHIN))
        self._upper, self._lower, self._rim, self._chin = (
            torch.from_numpy(part).to(device) for part in parts
        )
        self._half = len(parts[2]) // 2
        steps = torch.arange(4, device=device, dtype=torch.float32) / 4
        # Catmull-Rom: what each of four neighbours counts for, a quarter of the way on each.
        self._curve = 0.5 * torch.stack(
            [
                -steps + 2 * steps**2 - steps**3,
                2 - 5 * steps**2 + 3 * steps**3,
                steps + 4 * steps**2 - 3 * steps**3,
                -(steps**2) + steps**3,
            ],
            1,
        )

    def place(
        self, portraits: Sequence[Portrait], told: Tensor, height: int, width: int, room: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return where meshes and mouths are.

        Args:
            portraits: One for each picture.
            told: (pictures, 74), see `told`.
            height: Of the pictures.
            width: Of the pictures.
            room: Side of a mouth's mask.

        Returns:
            Vertices, (pictures, vertices, 2), pixels; outlines and boxes as `open_mask` wants
            them; and what `POSED` names, (pictures, 10).
        """
        weights, matrix, spot, tongue, _ = told.split((52, 9, 3, 2, 8), 1)
        matrix = matrix.unflatten(1, (3, 3))
        closed = torch.stack([portrait.closed for portrait in portraits])
        moves = torch.stack([portrait.moves for portrait in portraits])
        lips = torch.stack([portrait.lips for portrait in portraits])
        along = torch.stack([portrait.along for portrait in portraits])
        hold = torch.stack([portrait.hold for portrait in portraits])
        fixed = torch.stack([portrait.told for portrait in portraits])
        pivot, eye, anchor, right, down = fixed.split((3, 1, 3, 3, 3), 1)

        moved = closed + torch.bmm(weights[:, None], moves).view(closed.shape)
        moved = self._met(self._pursed(moved, lips, along, tongue[:, 1:]))
        turned = torch.bmm(moved, matrix.mT) + spot[:, None]
        near = 1 / (1 + (turned[..., 2] - moved[..., 2]) / (CAMERA * eye))
        centre = pivot[:, None, :2]
        flat = (turned[..., :2] - centre) * near[..., None] + centre
        points = moved[..., :2] + (flat - moved[..., :2]) * hold[..., None]

        grown = near[:, 13, None]
        head = matrix[:, :2] * grown[..., None]
        base = (head @ anchor[..., None])[..., 0] + (spot - pivot)[:, :2] * grown + pivot[:, :2]
        axes = torch.stack([(head @ axis[..., None])[..., 0] for axis in (right, down)], 2)
        inverse = torch.linalg.inv_ex(axes).inverse  # unchecked: checking waits for the device
        jaw = (moved[:, self._chin] - closed[:, self._chin]).mean(1)[:, :2]
        gone = [(jaw * axis[:, :2]).sum(1, keepdim=True) / eye**2 for axis in (right, down)]
        posed = torch.cat([base, inverse.flatten(1), gone[0], gone[1].clamp(min=0), tongue], 1)

        outline, box = self._mouth(points[:, self._rim], eye[:, 0], height, width, room)
        return points.contiguous(), outline, box, posed.contiguous()

    def _pursed(self, moved: Tensor, lips: Tensor, along: Tensor, strength: Tensor) -> Tensor:
        """Return the meshes with rounded lips brought together; see `rig.Renderer`."""
        wide = 1 - 0.5 * strength
        t = ((along.abs() - wide + 0.5) / 0.5).clamp(0, 1)
        share = (1.5 * strength).clamp(max=1) * t * t * (3 - 2 * t) * (strength >= _LEAST)
        half = 0.5 * share[..., None] * (moved[:, self._lower] - moved[:, self._upper])
        return moved + torch.bmm(lips[:, 0] - lips[:, 1], half)

    def _met(self, moved: Tensor) -> Tensor:
        """Return the meshes with lips that do not pass through each other."""
        cross = 0.5 * (moved[:, self._lower, 1] - moved[:, self._upper, 1]).clamp(max=0)
        moved[:, :, 1].index_add_(1, self._upper, cross)
        moved[:, :, 1].index_add_(1, self._lower, -cross)
        return moved

    def _mouth(
        self, rim: Tensor, eye: Tensor, height: int, width: int, room: int
    ) -> tuple[Tensor, Tensor]:
        """Return outlines and boxes of mouths, empty ones where lips are closed."""
        lower = torch.cat([rim[:, self._half :], rim[:, :1]], 1).flip(1)
        gap = (lower - rim[:, : self._half + 1])[..., 1].amax(1)
        margin = (2 + 0.03 * eye)[:, None]
        frame = torch.tensor([width, height], device=rim.device)
        first = (rim.amin(1) - margin).floor().clamp(min=0)
        size = torch.minimum((rim.amax(1) + margin).ceil(), frame) - first
        open_ = (gap >= _GAP * eye)[:, None] & (size > 0).all(1, keepdim=True)
        size = size.clamp(0, room) * open_
        four = torch.stack([rim.roll(1, 1), rim, rim.roll(-1, 1), rim.roll(-2, 1)], 2)
        outline = torch.einsum("sk,bpkc->bpsc", self._curve, four).flatten(1, 2)
        outline = outline - first[:, None] - 0.5
        return outline.contiguous(), torch.cat([first, size], 1).int()
