"""A portrait made ready to move, and the frames it makes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face import eyes, mouth, render
from realtime_avatar.face.mesh import LOWER_LIP, UPPER_LIP, Mesh, basis, build
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]

_CAMERA = 9.0  # distance of the viewer, eyes
_JAW, _CLOSE, _TONGUE = (INDEX[name] for name in ("jawOpen", "mouthClose", "tongueOut"))


@dataclass(frozen=True, slots=True)
class PhotoRig:
    """All that is known of a portrait.

    Attributes:
        width: Of its pictures, pixels.
        height: Of its pictures, pixels.
        texture: uint8 RGB: the portrait cut to the pictures' shape, up to twice as fine.
        points: float32 (478, 3): landmarks in the pictures' pixels.
        mesh: The mesh over it.
        eyes: Lids and eyeballs, the one left in the picture first.
        mouth: What is behind the lips.
    """

    width: int
    height: int
    texture: NDArray[np.uint8]
    points: Floats
    mesh: Mesh
    eyes: tuple[eyes.Eye, eyes.Eye]
    mouth: mouth.Mouth

    @property
    def scale(self) -> Floats:
        """Texels to a pixel, x and y."""
        rows, columns = self.texture.shape[:2]
        return np.array([columns / self.width, rows / self.height], np.float32)


def make(texture: NDArray[np.uint8], points: Floats, width: int, height: int) -> PhotoRig:
    """Build the rig of a portrait.

    Args:
        texture: RGB, of the same shape as the pictures, up to twice as fine.
        points: Landmarks, (478, 3), in the pictures' pixels.
        width: Of the pictures.
        height: Of the pictures.
    """
    scale = np.array([texture.shape[1] / width, texture.shape[0] / height, 1], np.float32)
    fine = points * scale
    mesh = build(points, width, height)
    return PhotoRig(
        width, height, texture, points, mesh,
        eyes.find(texture, fine), mouth.find(texture, fine, mesh),
    )  # fmt: skip


class Renderer:
    """Makes the pictures of one session.

    Args:
        rig: The portrait.
    """

    def __init__(self, rig: PhotoRig) -> None:
        self._rig, self._mesh = rig, rig.mesh
        self._texture = rig.texture.copy()
        self._eyes = np.zeros((2, 4), np.float32)
        self._texels = np.ascontiguousarray(rig.mesh.rest[:, :2] * rig.scale)
        self._closed = rig.mesh.rest + rig.mesh.shut
        self._moves = np.ascontiguousarray(rig.mesh.moves.reshape(52, -1))
        self._mouth = mouth.Painter(rig.mouth, rig.mesh)
        self._upper, self._lower = (basis().chain(lip) for lip in (UPPER_LIP, LOWER_LIP))
        # Beyond the mesh each pixel stays what it is.
        y, x = np.mgrid[: rig.height, : rig.width].astype(np.float32) + 0.5
        at = np.rint((np.stack([x, y], -1) * rig.scale - 0.5) * 32).astype(np.int32)
        self._whole = np.ascontiguousarray((at >> 5).astype(np.int16))
        self._part = ((at[..., 1] & 31) << 5 | (at[..., 0] & 31)).astype(np.uint16)

    def render(self, weights: Floats, pose: Floats) -> NDArray[np.uint8]:
        """Return one picture.

        Args:
            weights: ARKit, (52,).
            pose: As a row of `Motion.pose`, (6,).

        Returns:
            uint8 RGB, (height, width, 3), newly allocated.
        """
        rig = self._rig
        self._look(weights)
        moved = self._move(weights)
        points, turn = self._turn(moved, pose)
        render.fill(points, self._texels, self._mesh.triangles, self._whole, self._part)
        frame = np.empty((rig.height, rig.width, 3), np.uint8)
        cv2.remap(
            self._texture, self._whole, self._part, cv2.INTER_LINEAR,
            dst=frame, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        self._mouth.paint(frame, points, moved, turn, float(weights[_TONGUE]))
        return frame

    def place(self, weights: Floats, pose: Floats) -> Floats:
        """Return where each vertex of the mesh is in that picture, (vertices, 2), pixels."""
        return self._turn(self._move(weights), pose)[0]

    def _move(self, weights: Floats) -> Floats:
        """Return the mesh with the weights' expression, before the head turns."""
        weights = weights.copy()
        # It undoes what the jaw has opened; there is nothing more to close.
        weights[_CLOSE] = min(weights[_CLOSE], weights[_JAW] + 0.05)
        used = np.flatnonzero(np.abs(weights) > 1e-4)
        moves = (weights[used] @ self._moves[used]).reshape(-1, 3)
        moved = np.asarray(self._closed + moves, np.float32)
        self._meet(moved)
        return moved

    def _look(self, weights: Floats) -> None:
        """Repaint the eyes that have moved since the last picture."""
        state = eyes.pose(weights)
        for eye, before, now in zip(self._rig.eyes, self._eyes, state, strict=True):
            if np.abs(now - before).max() > 0.002:
                eyes.paint(self._texture, eye, now)
                before[:] = now

    def _meet(self, moved: Floats) -> None:
        """Keep the lips from passing through each other, in place: they meet half way."""
        upper, lower = moved[self._upper], moved[self._lower]
        cross = np.minimum(lower[:, 1] - upper[:, 1], 0)
        moved[self._upper, 1] += 0.5 * cross
        moved[self._lower, 1] -= 0.5 * cross

    def _turn(self, moved: Floats, pose: Floats) -> tuple[Floats, Floats]:
        """Return where the vertices are in the picture, and the matrix of the head."""
        mesh = self._mesh
        matrix = render.rotation(*pose[:3].tolist())
        shift = np.array([pose[3], -pose[4], -pose[5]], np.float32) * mesh.eyes
        spot = matrix @ -mesh.pivot + mesh.pivot + shift
        turned = moved @ matrix.T + spot
        # Perspective: what comes nearer grows.
        near = 1 / (1 + (turned[:, 2] - moved[:, 2]) / (_CAMERA * mesh.eyes))
        flat = (turned[:, :2] - mesh.pivot[:2]) * near[:, None] + mesh.pivot[:2]
        points = moved[:, :2] + (flat - moved[:, :2]) * mesh.hold[:, None]
        grown = float(near[13])
        head = np.empty((2, 4), np.float32)
        head[:, :3] = matrix[:2] * grown
        head[:, 3] = (spot[:2] - mesh.pivot[:2]) * grown + mesh.pivot[:2]
        return np.ascontiguousarray(points, np.float32), head
