"""A portrait on a GPU: what does not change from picture to picture."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_avatar.face.mesh import LOWER_LIP, UPPER_LIP, basis
from realtime_avatar.face.rig import PhotoRig

Floats = NDArray[np.float32]

_EDGE: Final = 32  # pixels; sides of a mouth's mask are multiples of it
_MOUTH: Final = 1.25  # how wide and how high an open mouth may be, eyes


class Portrait:
    """One session's portrait: its texture is the session's own, as the eyes are painted in it.

    Args:
        rig: The portrait.
        device: Where.
        background: As of `rig.Renderer`.

    Attributes:
        height: Of its pictures, pixels.
        width: Of its pictures, pixels.
        room: Side of a square in which its mouth has room, pixels.
        region: Texels of the larger eye's region.
        addresses: See `tables.ADDRESSES`.
        sizes: See `tables.SIZES`.
        numbers: See `tables.NUMBERS`.
        closed: float32 (vertices, 3): the mesh with its lips closed.
        moves: float32 (52, vertices * 3).
        hold: float32 (vertices,).
        lips: float32 (2, vertices, pairs).
        along: float32 (pairs,): from -1 to 1 between the corners of the mouth.
        opens: As of `rig.PhotoRig`.
        told: float32 (13,): the mesh's pivot and eyes, the mouth's anchor, right and down.
    """

    def __init__(
        self,
        rig: PhotoRig,
        device: torch.device,
        background: NDArray[np.uint8] | None = None,
    ) -> None:
        mesh, inside = rig.mesh, rig.mouth
        self.height, self.width = rig.height, rig.width
        self.pivot, self.eyes, self.opens = mesh.pivot, mesh.eyes, rig.opens

        def there(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        texture = rig.texture
        if texture.shape[2] == 3:
            texture = np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)])
        plate = rig.plate if background is None else background
        texels = ((mesh.rest[:, :2] + rig.margin) * rig.scale).astype(np.float32)
        arrays = [texture.copy(), texels, mesh.triangles, inside.teeth]
        for eye in rig.eyes:
            arrays += [eye.skin, eye.soft, eye.ball, eye.upper, eye.lower, eye.lash]
        self._arrays = [there(array) for array in arrays]
        self._plate = None if plate is None else there(plate)
        addresses = [array.data_ptr() for array in self._arrays]
        addresses.insert(1, 0 if self._plate is None else self._plate.data_ptr())
        self.addresses = np.array(addresses, np.int64)

        sizes = [*texture.shape[:2], *inside.teeth.shape[:2]]
        for eye in rig.eyes:
            sizes += [eye.top, eye.left, *eye.skin.shape[:2]]
        self.sizes = np.array(sizes, np.int32)
        numbers = [rig.margin, *rig.scale, max(0.55, 0.0055 * mesh.eyes), 0.05 * mesh.eyes]
        numbers += [inside.texels, *inside.flesh.ravel()]
        for eye in rig.eyes:
            numbers += [*eye.frame, eye.width, eye.room, *eye.iris]
        self.numbers = np.array(numbers, np.float32)
        self.region = max(eye.skin.shape[0] * eye.skin.shape[1] for eye in rig.eyes)
        most = min(_MOUTH * mesh.eyes, max(rig.height, rig.width))
        self.room = int(-(-most // _EDGE) * _EDGE)

        upper = basis().chain(UPPER_LIP)
        across = mesh.rest[upper, 0]
        along = np.interp(across, across[[0, -1]], [-1, 1]).astype(np.float32)
        self.triangles = len(mesh.triangles)
        self.closed = there(mesh.rest + mesh.shut)
        self.moves = there(mesh.moves.reshape(len(mesh.moves), -1))
        self.hold, self.lips, self.along = there(mesh.hold), there(mesh.lips), there(along)
        told = [*mesh.pivot, mesh.eyes, *inside.anchor, *inside.right, *inside.down]
        self.told = there(np.array(told, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A job for the painter.

    Attributes:
        portrait: Whose; once in a batch.
        weights: ARKit, float32 (52,).
        pose: As a row of `Motion.pose`, float32 (6,).
    """

    portrait: Portrait
    weights: Floats
    pose: Floats


def chains() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the inner edges of the upper and the lower lip, and both, all round; see `Mouth`."""
    upper, lower = basis().chain(UPPER_LIP), basis().chain(LOWER_LIP)
    return upper, lower, np.concatenate([upper, lower[-2:0:-1]])
