"""A portrait made ready to move, and the frames it makes."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face import eyes, mouth, render
from realtime_avatar.face.extent import BAND, Extent
from realtime_avatar.face.mesh import LOWER_LIP, UPPER_LIP, Mesh, basis, build
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]

CAMERA: Final = 9.0
"""Distance of the viewer, eyes."""

SEEN: Final = np.array(
    [0, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1], np.float32
)
"""What the landmarker may say of a jaw."""

OPEN: Final = np.array(
    [0, 0.03, 0.06, 0.085, 0.11, 0.14, 0.17, 0.2075, 0.245, 0.2825, 0.32, 0.41, 0.5, 1], np.float32
)
"""How far a mesh usually opens to be seen as `SEEN`: its first tenth is hardly noticed."""

_AJAR = 0.4  # mouthClose over jawOpen below which the lips are as open as without it
_JAW, _CLOSE, TONGUE = (INDEX[name] for name in ("jawOpen", "mouthClose", "tongueOut"))
_PUCKER, _FUNNEL = INDEX["mouthPucker"], INDEX["mouthFunnel"]


@dataclass(frozen=True, slots=True)
class PhotoRig:
    """All that is known of a portrait.

    Attributes:
        width: Of its pictures, pixels.
        height: Of its pictures, pixels.
        texture: uint8 (rows, columns, 3 or 4): the portrait cut to the pictures' shape, up
            to twice as fine; RGBA, premultiplied, where the person has been cut out.
        margin: Pixels of the pictures by which the texture is larger, on each side.
        plate: uint8 RGB: what is behind a person who has been cut out, in the pictures'
            size.
        teeth: uint8 RGBA: the person's own, as another portrait shows them, if one does.
        points: float32 (478, 3): landmarks in the pictures' pixels.
        mesh: The mesh over it.
        eyes: Lids and eyeballs, the one left in the picture first.
        mouth: What is behind the lips.
        opens: float32, shape of `SEEN`: how far the mesh opens to be seen so.
    """

    width: int
    height: int
    texture: NDArray[np.uint8]
    margin: int
    plate: NDArray[np.uint8] | None
    teeth: NDArray[np.uint8] | None
    points: Floats
    mesh: Mesh
    eyes: tuple[eyes.Eye, eyes.Eye]
    mouth: mouth.Mouth
    opens: Floats

    @property
    def scale(self) -> Floats:
        """Texels to a pixel, x and y."""
        rows, columns = self.texture.shape[:2]
        wide, high = self.width + 2 * self.margin, self.height + 2 * self.margin
        return np.array([columns / wide, rows / high], np.float32)


def make(
    texture: NDArray[np.uint8],
    points: Floats,
    width: int,
    height: int,
    *,
    margin: int = 0,
    plate: NDArray[np.uint8] | None = None,
    teeth: NDArray[np.uint8] | None = None,
    opens: Floats = OPEN,
) -> PhotoRig:
    """Build the rig of a portrait.

    Args:
        texture: RGB, of the same shape as the pictures with their margin, up to twice as
            fine; RGBA, premultiplied, if there is a plate.
        points: Landmarks, (478, 3), in the pictures' pixels.
        width: Of the pictures.
        height: Of the pictures.
        margin: How much larger the texture is on each side, pixels.
        plate: What is behind the person, RGB, (height, width, 3).
        teeth: The person's own, RGBA, as `teeth.lent` returns them.
        opens: As `calibration.calibrated` returns them.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    if plate is not None and (plate.shape != (height, width, 3) or texture.shape[2] != 4):
        raise ValueError("a plate wants a texture with alpha, and the pictures' size")
    wide, high = width + 2 * margin, height + 2 * margin
    scale = np.array([texture.shape[1] / wide, texture.shape[0] / high, 1], np.float32)
    fine = (points + np.array([margin, margin, 0], np.float32)) * scale
    mesh = build(points, width, height, loose=plate is not None)
    face = texture[..., :3]
    return PhotoRig(
        width, height, texture, margin, plate, teeth, points, mesh,
        eyes.find(face, fine), mouth.find(face, fine, mesh, teeth), opens,
    )  # fmt: skip


class Renderer:
    """Makes the pictures of one session.

    Args:
        rig: The portrait.
        background: RGB, (height, width, 3): what is seen behind the person instead of the
            portrait's own background.

    Raises:
        ValueError: for a background of another shape, or behind a person who has not been
            cut out.
    """

    def __init__(self, rig: PhotoRig, background: NDArray[np.uint8] | None = None) -> None:
        self._rig, self._mesh = rig, rig.mesh
        if background is not None and rig.plate is None:
            raise ValueError("the person has not been cut out of this portrait")
        self._plate = rig.plate if background is None else background
        if self._plate is not None and self._plate.shape != (rig.height, rig.width, 3):
            raise ValueError(f"a background must be {rig.width}x{rig.height} pixels")
        self._texture = rig.texture.copy()
        self._extent = (
            Extent(rig.texture[..., 3], rig.width, rig.height, rig.margin)
            if rig.texture.shape[2] == 4
            else None
        )
        self._eyes = np.zeros((2, 4), np.float32)
        self._points = np.full((len(rig.mesh.rest), 2), np.inf, np.float32)  # of the last picture
        self._texels = np.ascontiguousarray((rig.mesh.rest[:, :2] + rig.margin) * rig.scale)
        self._closed = rig.mesh.rest + rig.mesh.shut
        self._moves = np.ascontiguousarray(rig.mesh.moves.reshape(52, -1))
        self._mouth = mouth.Painter(rig.mouth, rig.mesh)
        self._upper, self._lower = (basis().chain(lip) for lip in (UPPER_LIP, LOWER_LIP))
        across = rig.mesh.rest[self._upper, 0]
        self._along = np.interp(across, across[[0, -1]], [-1, 1]).astype(np.float32)
        # Beyond the mesh each pixel stays what it is.
        y, x = np.mgrid[: rig.height, : rig.width].astype(np.float32) + 0.5
        at = np.rint(((np.stack([x, y], -1) + rig.margin) * rig.scale - 0.5) * 32).astype(np.int32)
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
        drawn, columns = self._draw(weights, pose)
        if self._plate is None:
            return drawn
        frame = self._plate.copy()
        render.flatten(drawn, columns, frame)
        return frame

    def cut_out(self, weights: Floats, pose: Floats) -> NDArray[np.uint8]:
        """Return the person alone: uint8 RGBA, (height, width, 4), premultiplied by alpha."""
        drawn, _ = self._draw(weights, pose)
        if drawn.shape[2] == 4:
            return drawn
        return np.dstack([drawn, np.full(drawn.shape[:2], 255, np.uint8)])

    def displacement(self, weights: Floats, pose: Floats) -> float:
        """Return how far a point or a lid would at most move from the last picture, pixels."""
        points = np.abs(self.place(weights, pose) - self._points).max()
        lids = np.abs(eyes.pose(weights) - self._eyes).max() * self._mesh.eyes
        return float(max(points, lids))

    def _draw(self, weights: Floats, pose: Floats) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Return the person and the columns of each row within which they are.

        The person is RGB, or premultiplied RGBA if they have been cut out.
        """
        self._look(weights)
        moved = self._move(weights)
        points, turn = self._turn(moved, pose)
        self._points = points
        columns = self._wanted(points)
        render.fill(
            points, self._texels, self._mesh.triangles, columns, self._whole, self._part
        )  # fmt: skip
        frame = np.zeros((*self._part.shape, self._texture.shape[2]), np.uint8)
        for top in range(0, len(frame), BAND):
            band = np.s_[top : top + BAND, slice(*columns[top].tolist())]
            if self._part[band].size:
                cv2.remap(
                    self._texture, self._whole[band], self._part[band], cv2.INTER_LINEAR,
                    frame[band], cv2.BORDER_REPLICATE,
                )  # fmt: skip
        self._mouth.paint(
            frame, points, moved, turn, float(weights[TONGUE]), float(rounded(weights))
        )  # fmt: skip
        return frame, columns

    def _wanted(self, points: Floats) -> NDArray[np.int32]:
        """Return the columns of each row that are painted."""
        if self._extent is None:
            return np.tile(np.array([0, self._rig.width], np.int32), (self._rig.height, 1))
        across, down = np.abs(points - self._mesh.rest[:, :2]).max(0).tolist()
        return self._extent.columns(across, down)

    def place(self, weights: Floats, pose: Floats) -> Floats:
        """Return where each vertex of the mesh is in that picture, (vertices, 2), pixels."""
        return self._turn(self._move(weights), pose)[0]

    def _move(self, weights: Floats) -> Floats:
        """Return the mesh with the weights' expression, before the head turns."""
        rounding = float(rounded(weights))
        weights = shaped(weights, self._rig.opens)
        used = np.flatnonzero(np.abs(weights) > 1e-4)
        moves = (weights[used] @ self._moves[used]).reshape(-1, 3)
        moved = np.asarray(self._closed + moves, np.float32)
        self._purse(moved, rounding)
        self._meet(moved)
        return moved

    def _purse(self, moved: Floats, strength: float) -> None:
        """Bring rounded lips together towards the corners, in place: a ring, not a slit.

        Muscles do so; what the units do is added up and cannot.
        """
        if strength < 0.02:
            return
        wide = 1 - 0.5 * strength  # of the mouth, what stays open
        t = np.clip((np.abs(self._along) - wide + 0.5) / 0.5, 0, 1)
        share = min(1.5 * strength, 1.0) * t * t * (3 - 2 * t)
        half = 0.5 * share[:, None] * (moved[self._lower] - moved[self._upper])
        moved += self._mesh.lips[0] @ half - self._mesh.lips[1] @ half

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
        matrix = render.rotation(pose[:3])
        shift = np.array([pose[3], -pose[4], -pose[5]], np.float32) * mesh.eyes
        spot = matrix @ -mesh.pivot + mesh.pivot + shift
        turned = moved @ matrix.T + spot
        # Perspective: what comes nearer grows.
        near = 1 / (1 + (turned[:, 2] - moved[:, 2]) / (CAMERA * mesh.eyes))
        flat = (turned[:, :2] - mesh.pivot[:2]) * near[:, None] + mesh.pivot[:2]
        points = moved[:, :2] + (flat - moved[:, :2]) * mesh.hold[:, None]
        grown = float(near[13])
        head = np.empty((2, 4), np.float32)
        head[:, :3] = matrix[:2] * grown
        head[:, 3] = (spot[:2] - mesh.pivot[:2]) * grown + mesh.pivot[:2]
        return np.ascontiguousarray(points, np.float32), head


def shaped(weights: Floats, opens: Floats) -> Floats:
    """Return weights, (..., 52), as a mesh's moves want them: with the jaw that will be seen.

    Args:
        weights: ARKit.
        opens: Of the rig, or of each row's.
    """
    weights = weights.copy()
    seen = weights[..., _JAW].copy()
    jaw = _opened(seen, opens)
    # Lips that are half closed by the scores look open: they meet only at the end.
    closed = np.minimum(weights[..., _CLOSE] / np.maximum(seen, 1e-3), 1.1)
    close = jaw * np.maximum(0.0, (closed - _AJAR) / (1 - _AJAR))
    weights[..., _JAW] = jaw
    # It undoes what the jaw has opened; there is nothing more to close.
    weights[..., _CLOSE] = np.minimum(close, jaw + 0.05)
    return weights


def _opened(seen: Floats, opens: Floats) -> Floats:
    """Return how far jaws open, (...), between the openings (..., len(SEEN)) of their rigs."""
    below = np.clip(np.searchsorted(SEEN, seen, side="right") - 1, 0, len(SEEN) - 2)
    share = np.clip((seen - SEEN[below]) / (SEEN[below + 1] - SEEN[below]), 0, 1)
    at = np.asarray(below)[..., None]
    low, high = (np.take_along_axis(opens, place, -1)[..., 0] for place in (at, at + 1))
    return np.asarray(low + share * (high - low), np.float32)


def rounded(weights: Floats) -> Floats:
    """Return how far the lips are rounded and pushed out, in [0, 1], of weights (..., 52)."""
    return np.minimum(1.0, weights[..., _PUCKER] + 0.5 * weights[..., _FUNNEL])
