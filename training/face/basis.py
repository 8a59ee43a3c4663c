"""Makes face/data/basis.npz: how each ARKit weight moves a fine face mesh.

    python training/face/basis.py src/realtime_avatar/face/data/basis.npz

Beside this file, `arkit478.npz` holds the 52 units of a CC0 head (MakeHuman's face units)
read off at MediaPipe's 478 landmarks by nearest vertex, so it is noisy where vertices are
sparse and wrong where a landmark of the upper lip fell on a vertex of the lower.
`tessellation.npy` is MediaPipe's triangulation of the first 468 landmarks (852 triangles;
Apache-2.0).

The steps: make left and right mirror each other; smooth over the mesh while distrusting
outliers; let the lip pairs of units that keep the mouth shut move as one; make
`mouthClose` cancel `jawOpen` at the lips; keep the nose still while jaw and lips move; leave the
lids to the lid layer; split every triangle in four so that the piecewise linear warp looks smooth.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]

UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
# The four nested loops of the lips from outside in, each from the left corner of the
# picture over the upper lip to the right corner and back under the lower lip.
LIPS = np.array([
    [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146],
    [76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77],
    [62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96],
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95],
])  # fmt: skip
EYES = [
    [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7],
    [263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249],
]
OPENS = {"jawOpen", "mouthFunnel", "mouthLowerDown", "mouthUpperUp", "mouthShrugUpper"}
STRONGER = {
    "mouthPucker": (1.65, 1.1, 1.2),
    "mouthLowerDown": (0.8, 2.2, 1.0),
    "mouthPress": (0.35, 0.35, 1.0),
    "browInnerUp": (3.0, 3.0, 3.0),
    "browOuterUp": (3.2, 3.2, 3.2),
    "browDown": (1.3, 1.3, 1.3),
    "jawOpen": (1.1, 1.1, 1.1),
}
"""What the CC0 head does too weakly or too strongly, x y z: so that the face landmarker,
looking at an avatar, measures about what went in. (Its pressed lips smile.)"""
NOSE = [1, 2, 4, 5, 19, 48, 64, 94, 97, 98, 115, 129, 278, 294, 326, 327, 344, 358]
BELOW = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker")
"""What a person's nose hardly follows, and the CC0 head's does."""
FOLLOWS = 0.3  # of what it did
LIDS = ("eyeBlink", "eyeLook", "eyeSquint", "eyeWide")


def mirror(points: Array) -> NDArray[np.int64]:
    """Return for each landmark the one on the other side of the face."""
    distance = np.linalg.norm(points[:, None] - (points * (-1, 1, 1))[None], axis=2)
    other = linear_sum_assignment(distance + distance.T)[1]
    assert (other[other] == np.arange(len(points))).all()
    assert (other[LIPS[3]] == LIPS[3][[10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, *range(19, 10, -1)]]).all()
    return other


def smooth(points: Array, edges: NDArray[np.int64], moves: Array, strength: float) -> Array:
    """Return moves (landmarks, 3) fitted by a smooth field that distrusts outliers."""
    count = len(points)
    laplacian = np.zeros((count, count))
    for a, b in edges:
        weight = 1 / (np.linalg.norm(points[a] - points[b]) + 0.01)
        laplacian[a, b] = laplacian[b, a] = -weight
    laplacian /= -laplacian.sum(1, keepdims=True)
    laplacian[np.arange(count), np.arange(count)] = 1
    bending = strength * laplacian.T @ laplacian
    trust, fitted = np.ones(count), moves
    for _ in range(12):
        fitted = np.linalg.solve(np.diag(trust) + bending, trust[:, None] * moves)
        off = np.linalg.norm(fitted - moves, axis=1)
        trust = 1 / (1 + (off / 0.012) ** 2)
    return fitted


def smooth_lips(moves: Array) -> None:
    """Fit low polynomials along each lip loop, in place: lips have no corners of their own."""
    at = np.linspace(-1, 1, 11)
    for loop in LIPS:
        for half in (loop[:11], np.r_[loop[10:], loop[:1]]):
            rows = np.polynomial.chebyshev.chebvander(at, 4)
            trust = np.ones(11)
            fitted = moves[half]
            for _ in range(12):
                trust[[0, 10]] = 2
                fitted = (
                    rows
                    @ np.linalg.lstsq(
                        rows * trust[:, None] ** 0.5,
                        moves[half] * trust[:, None] ** 0.5,
                        rcond=None,
                    )[0]
                )
                off = np.linalg.norm(fitted - moves[half], axis=1)
                trust = 1 / (1 + (off / 0.01) ** 2)
            corners = moves[half[[0, 10]]]
            # The ends stay: corners belong to both halves.
            ends = np.stack([(1 - at) / 2, (1 + at) / 2], 1) ** 6
            fitted = fitted + ends @ (corners - fitted[[0, 10]])
            moves[half] = fitted


def tie(moves: Array, gap: Array) -> None:
    """Move each pair of inner lip points so that lower - upper is `gap`, and the loops
    outside them by less and less, in place."""
    for pair, wanted in zip(zip(UPPER[1:-1], LOWER[1:-1], strict=True), gap, strict=True):
        column = int(np.flatnonzero(LIPS[3] == pair[0])[0])
        below = (20 - column) % 20
        change = (wanted - (moves[pair[1]] - moves[pair[0]])) / 2
        for ring, share in zip(range(4), (0.1, 0.3, 0.65, 1.0), strict=True):
            moves[LIPS[ring, column]] -= share * change
            moves[LIPS[ring, below]] += share * change


def split(
    points: Array, moves: Array, triangles: NDArray[np.int64]
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Split each triangle in four.

    Returns:
        Moves (units, vertices, 3), the new vertices' moves by Loop's rule (on the rim by
        the four-point rule); the parents (new vertices, 2); the triangles.
    """
    opposite: dict[tuple[int, int], list[int]] = {}
    for a, b, c in triangles:
        for edge, corner in (((a, b), c), ((b, c), a), ((c, a), b)):
            opposite.setdefault((min(edge), max(edge)), []).append(corner)
    rim: dict[int, list[int]] = {}
    for (a, b), corners in opposite.items():
        if len(corners) == 1:
            rim.setdefault(a, []).append(b)
            rim.setdefault(b, []).append(a)
    index: dict[tuple[int, int], int] = {}
    new: list[Array] = []
    for (a, b), corners in opposite.items():
        index[a, b] = len(points) + len(new)
        if len(corners) == 2:
            c, d = corners
            new.append(0.375 * (moves[:, a] + moves[:, b]) + 0.125 * (moves[:, c] + moves[:, d]))
        else:
            before, after = (
                next((n for n in rim[x] if n != y), x) if len(rim[x]) == 2 else x
                for x, y in ((a, b), (b, a))
            )
            new.append(
                0.5625 * (moves[:, a] + moves[:, b]) - 0.0625 * (moves[:, before] + moves[:, after])
            )
    fine: list[tuple[int, int, int]] = []
    for a, b, c in triangles:
        ab, bc, ca = (index[min(e), max(e)] for e in ((a, b), (b, c), (c, a)))
        fine += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return (
        np.concatenate([moves, np.stack(new, 1)], 1),
        np.array(list(index)),
        np.array(fine),
    )


def main(target: str) -> None:
    here = Path(__file__).parent
    data = np.load(here / "arkit478.npz")
    units = [str(unit) for unit in data["units"]]
    triangles = np.load(here / "tessellation.npy").astype(np.int64)
    points = data["lm"][:468].astype(np.float64)
    eye = np.linalg.norm(points[33, :2] - points[263, :2])
    points = (points - points[[33, 263]].mean(0)) / eye
    points[:, 0] -= points[[10, 152, 1, 168, 0, 17], 0].mean()
    other = mirror(points)
    points = (points + points[other] * (-1, 1, 1)) / 2
    # The picture's axes: x right, y down, z away.
    moves = data["B"][:, :468].astype(np.float64) * (1, -1, -1)

    swap = [
        units.index(u.replace("Left", "~").replace("Right", "Left").replace("~", "Right"))
        for u in units
    ]
    # jawLeft, mouthLeft and their like mirror too.
    moves = (moves + moves[swap][:, other] * (-1, 1, 1)) / 2

    edges = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])),
        axis=0,
    )
    # Opposite lips are near but must not pull on each other: no edge joins them.
    for unit, name in enumerate(units):
        if name.startswith(LIDS):
            moves[unit] = 0
            continue
        moves[unit] = smooth(points, edges, moves[unit], 3.0)
        smooth_lips(moves[unit])
        gain = next((gain for unit_, gain in STRONGER.items() if name.startswith(unit_)), None)
        if gain:
            moves[unit] *= gain
        if not any(name.startswith(o) for o in OPENS) and name != "mouthClose":
            tie(moves[unit], np.zeros((9, 3)))
    jaw, close = units.index("jawOpen"), units.index("mouthClose")
    tie(moves[close], -(moves[jaw][LOWER[1:-1]] - moves[jaw][UPPER[1:-1]]))
    away = np.linalg.norm(points[:, None] - points[NOSE], axis=2).min(1)
    still = 1 - (1 - FOLLOWS) * np.exp(-((away / 0.08) ** 2))
    for name in BELOW:
        moves[units.index(name)] *= still[:, None]
    for eye_loop in EYES:  # what moves the lids is the lid layer's
        for name in ("cheekSquintLeft", "cheekSquintRight"):
            moves[units.index(name)][eye_loop] *= 0.3

    fine_moves, parents, fine = split(points, moves, triangles)
    np.savez_compressed(
        target,
        units=np.array(units),
        moves=fine_moves.astype(np.float16),
        parents=parents.astype(np.int16),
        triangles=fine.astype(np.int16),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
