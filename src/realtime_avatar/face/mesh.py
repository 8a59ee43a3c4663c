"""The mesh over a portrait: the face's landmarks refined, rings around it, and what moves it.

All coordinates are continuous pixels of the picture (pixel i spans [i, i+1)): x right,
y down, z away from the viewer. Lengths called "eyes" are in distances between the outer
eye corners.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.media.motion import ARKIT

Floats = NDArray[np.float32]

OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline from the forehead clockwise in the picture."""

UPPER_LIP: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The inner edges of the lips, from the corner that is left in the picture."""

EYES: Final = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)
"""Upper and lower lid edge of each eye, from the corner that is left in the picture."""

BROWS: Final = ((46, 53, 52, 65, 55), (285, 295, 282, 283, 276))
"""Lower edge of the brow over each of `EYES`, from left to right in the picture."""

IRISES: Final = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Centre, then four points of the rim, of the iris in each of `EYES`."""

_RINGS: Final = (0.04, 0.1, 0.18, 0.28, 0.4, 0.54, 0.7, 0.85, 1.0)  # share of the way to the frame
_DEEP, _DEEPEST = 0.05, 0.25  # where depth begins to be flattened, and by how much at most, eyes
_BEYOND = 1.6  # how much farther the rings of a loose mesh reach
_REACH = 0.28  # how far from the outline its expression is felt, eyes
_NECK_REACH = 0.5
_PARTED = 0.04  # gap between lips that are open in the portrait, eyes
_INSIDE = 0.08  # share of the gap
_UPPER_SINKS = 0.25  # the upper lip's part in closing them


@dataclass(frozen=True, slots=True)
class Basis:
    """What one unit of each ARKit weight does to the refined face, see training/face/basis.py.

    Attributes:
        moves: (52, vertices, 3), eyes; the first 468 vertices are MediaPipe's landmarks.
        parents: (vertices - 468, 2): the landmarks whose middle each other vertex is.
        triangles: (triangles, 3).
    """

    moves: Floats
    parents: NDArray[np.int64]
    triangles: NDArray[np.int32]

    def refine(self, points: Floats) -> Floats:
        """Return the positions of all vertices, from those of the landmarks."""
        middles = points[self.parents].mean(1)
        return np.concatenate([points[:468], middles]).astype(np.float32)

    def between(self, a: int, b: int) -> int:
        """Return the vertex in the middle of two neighbouring landmarks."""
        same = (self.parents == (a, b)).all(1) | (self.parents == (b, a)).all(1)
        return 468 + int(np.flatnonzero(same)[0])

    def chain(self, landmarks: tuple[int, ...]) -> NDArray[np.int64]:
        """Return neighbouring landmarks with the vertices between them."""
        fine = [landmarks[0]]
        for a, b in pairwise(landmarks):
            fine += [self.between(a, b), b]
        return np.array(fine)


@cache
def basis() -> Basis:
    """Return the basis that ships with the package."""
    with as_file(files("realtime_avatar.face") / "data" / "basis.npz") as path, np.load(path) as d:
        order = [list(d["units"]).index(unit) for unit in ARKIT]
        return Basis(
            d["moves"][order].astype(np.float32),
            d["parents"].astype(np.int64),
            d["triangles"][:, ::-1].astype(np.int32),
        )


@dataclass(frozen=True, slots=True)
class Mesh:
    """A portrait's mesh at rest and all that moves it.

    Attributes:
        rest: (vertices, 3), pixels; the refined face first, then the rings around it.
        triangles: (triangles, 3) int32, the farthest from the viewer first.
        moves: (52, vertices, 3), pixels per unit of each weight.
        hold: (vertices,), in [0, 1]: how far each follows the head's pose.
        shut: (vertices, 3), pixels: what closes the lips of a portrait that parts them.
        lips: (2, vertices, pairs): how each vertex goes along with the inner edge of the
            upper lip and of the lower, point by point from corner to corner.
        pivot: (3,): the point of the neck that the head turns about.
        eyes: The unit of length, pixels.
    """

    rest: Floats
    triangles: NDArray[np.int32]
    moves: Floats
    hold: Floats
    shut: Floats
    lips: Floats
    pivot: Floats
    eyes: float


def build(points: Floats, width: int, height: int, *, loose: bool = False) -> Mesh:
    """Lay the mesh over a face.

    Args:
        points: Landmarks, (478, 3), in pixels of the picture that will be shown.
        width: Of that picture.
        height: Of that picture.
        loose: The person is cut out of the background: hair moves with the head, and
            reaches beyond the frame. Otherwise the frame holds everything.
    """
    base = basis()
    eyes = float(np.linalg.norm(points[33] - points[263]))
    face = base.refine(points)
    # Cheeks fall off steeply towards the ears, where a portrait shows next to nothing to
    # stretch when the head turns: there the head is made flatter than it is.
    deep = np.maximum(face[:, 2] / eyes - _DEEP, 0)
    face[:, 2] += eyes * (_DEEPEST * np.tanh(deep / _DEEPEST) - deep)
    upper, lower = base.chain(UPPER_LIP), base.chain(LOWER_LIP)
    gap = face[lower] - face[upper]
    if np.linalg.norm(gap, axis=1).max() < _PARTED * eyes:  # closed: measured to a pixel or two
        face[upper] += gap / 2
        face[lower] = face[upper]
        gap = np.zeros_like(gap)
    else:
        # The lips' edge is not seen as sharply as the teeth beside it: cut a little inside.
        face[upper[1:-1]] -= _INSIDE * gap[1:-1]
        face[lower[1:-1]] += 0.5 * _INSIDE * gap[1:-1]
        gap = face[lower] - face[upper]
    lips = _lips(face, upper, lower, eyes)
    # The lower lip rises more than the upper sinks.
    shut = lips[0] @ (_UPPER_SINKS * gap) + lips[1] @ ((_UPPER_SINKS - 1) * gap)
    outline = base.chain((*OVAL, OVAL[0]))[:-1]
    rim = face[outline]

    centre = (points[33, :2] + points[263, :2]) / 2
    down = points[152, :2] - points[10, :2]
    down = (down / np.linalg.norm(down)).astype(np.float32)
    right = np.array([down[1], -down[0]], np.float32)

    # Each vertex of the outline has a ray out to the frame.
    origin = rim[:, :2].mean(0)
    rays = rim[:, :2] - origin
    frame = np.array([width, height], np.float32)
    with np.errstate(divide="ignore"):
        exits = np.where(rays > 0, (frame - origin) / rays, -origin / rays)
    # A face that touches the frame still gets its rings; they lie outside the picture.
    far = np.maximum(exits.min(1), 1 + 0.25 * eyes / np.linalg.norm(rays, axis=1))
    shares = np.array(_RINGS)[:, None] * (_BEYOND if loose else 1.0)
    scale = 1 + shares * (far - 1)
    rings = origin + rays * scale[..., None]  # (rings, rays, 2)
    distance = np.linalg.norm(rings - rim[:, :2], axis=2) / eyes
    depth = rim[:, 2] + 0.2 * eyes * np.minimum(distance, 0.6)
    around = np.concatenate([rings, depth[..., None]], 2).reshape(-1, 3)

    rest = np.concatenate([face, around]).astype(np.float32)
    count, first = len(outline), len(face)
    index = np.concatenate([outline[None], first + np.arange(len(around)).reshape(-1, count)])
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    c, d = index[1:], np.roll(index, -1, 1)[1:]
    outside = np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    )
    # Painted from the outermost ring inwards, then the face from its back to its front.
    outside = outside[np.argsort(-np.linalg.norm(rest[outside, :2].mean(1) - origin, axis=1))]
    inside = np.concatenate([base.triangles, _holes(base)])
    inside = inside[np.argsort(-rest[inside, 2].mean(1), kind="stable")]
    triangles = np.concatenate([outside, inside]).astype(np.int32)

    moves = np.zeros((52, len(rest), 3), np.float32)
    moves[:, :first] = base.moves
    pull = _pull(rim[:, :2], around[:, :2], down, eyes)
    moves[:, first:] = np.einsum("or,urk->uok", pull, base.moves[:, outline])
    flat = ((rest[:, :2] - centre) / eyes).astype(np.float32)
    across, along = flat @ right, flat @ down
    aside = _fall(np.abs(across), 0.95, 2.2)
    if loose:
        moves *= eyes
        # The shoulders stay; hair beside the head goes with it, and bends farther down.
        hold = _fall(along, 1.2, 2.3) * (1 - (1 - aside) * (1 - _fall(along, 0.6, 1.5)))
        hold[:first] = 1
    else:
        edge = _edge(rest[:, :2], width, height, 0.45 * eyes)
        edge[:first] = 1
        moves *= edge[None, :, None] * eyes
        hold = _fall(along, 1.2, 2.3) * aside * _fall(-along, 1.5, 2.6)
        hold[:first] = 1
        hold[first:] *= _edge(rest[first:, :2], width, height, 0.8 * eyes)
    pivot = np.append(centre + down * eyes * 1.3, 0.55 * eyes)
    still = np.zeros((len(around), 3), np.float32)
    return Mesh(
        rest, triangles, moves, hold.astype(np.float32),
        np.concatenate([shut, still]).astype(np.float32),
        np.pad(lips, ((0, 0), (0, len(around)), (0, 0))), pivot.astype(np.float32), eyes,
    )  # fmt: skip


def _lips(face: Floats, upper: NDArray[np.int64], lower: NDArray[np.int64], eyes: float) -> Floats:
    """Return `Mesh.lips` of the face's vertices.

    It fades out over the chin and below the nose, and never crosses the line of the lips.
    """
    meet = face[upper] + _UPPER_SINKS * (face[lower] - face[upper])
    line = meet[np.argmin(np.abs(face[:, None, 0] - meet[None, :, 0]), axis=1), 1]
    above = face[:, 1] < line
    above[upper], above[lower] = True, False
    follow = np.zeros((2, len(face), len(upper)), np.float32)
    for index, (side, chain) in enumerate(((above, upper), (~above, lower))):
        apart = np.linalg.norm(face[side, None, :2] - face[None, chain, :2], axis=2) / eyes
        nearest = apart.min(1, keepdims=True)
        weight = np.exp(-(((apart - nearest) / (0.03 + 0.5 * nearest)) ** 2))
        weight /= weight.sum(1, keepdims=True)
        follow[index, side] = weight * np.exp(-((nearest / 0.3) ** 2))
        follow[index, chain] = np.eye(len(chain))
    # The corners belong to both.
    follow[0, lower[[0, -1]]] = follow[1, upper[[0, -1]]] = 0
    return follow


def _holes(base: Basis) -> NDArray[np.int64]:
    """Return triangles that span the mouth and the eyes."""
    strips: list[tuple[int, int, int]] = []
    for upper, lower in ((UPPER_LIP, LOWER_LIP), *EYES):
        high, low = base.chain(upper), base.chain(lower)
        for i in range(len(high) - 1):
            strips += [(high[i], high[i + 1], low[i]), (low[i], high[i + 1], low[i + 1])]
    return np.array([t for t in strips if len(set(t)) == 3])


def _pull(rim: Floats, around: Floats, down: Floats, eyes: float) -> Floats:
    """Return how far each vertex around the face follows each vertex of its outline.

    The farther out, the more of the outline it averages, so that no corner of the jaw
    goes on into the neck. Below the chin the pull reaches farther: skin, not air.
    """
    apart = np.linalg.norm(around[:, None] - rim[None], axis=2) / eyes
    nearest = apart.min(1, keepdims=True)
    spread = 0.06 + 0.5 * nearest
    weight = np.exp(-(((apart - nearest) / spread) ** 2))
    weight /= weight.sum(1, keepdims=True)
    below = np.clip((around - rim.mean(0)) @ down / eyes, 0, 1)[:, None]
    reach = _REACH + (_NECK_REACH - _REACH) * below
    return (weight * np.exp(-((nearest / reach) ** 1.5))).astype(np.float32)


def _edge(points: Floats, width: int, height: int, reach: float) -> Floats:
    """Return 0 on the frame, rising to 1 at `reach` pixels into the picture."""
    inwards = np.minimum(points, np.array([width, height], np.float32) - points).min(1)
    return 1 - _fall(inwards, 0.0, reach)


def _fall(value: Floats, start: float, end: float) -> Floats:
    """Return a smooth step from 1 at `start` to 0 at `end`."""
    t = np.clip((value - start) / (end - start), 0, 1)
    return (1 - t * t * (3 - 2 * t)).astype(np.float32)
