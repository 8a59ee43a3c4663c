"""The warp: where in the portrait each pixel of the picture comes from.

Triangles are filled into a map of fixed-point texture coordinates, which OpenCV's remap
then samples: filling costs a few additions a pixel, and the sampling is vectorised.
"""

# pyright: reportUnknownParameterType=false, reportMissingParameterType=false

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@numba.njit(cache=True, fastmath=True, nogil=True)
def fill(points: Any, texture: Any, triangles: Any, whole: Any, part: Any) -> None:
    """Write, for every pixel that a triangle covers, where it comes from.

    Later triangles cover earlier ones; those that face away are left out.

    Args:
        points: float32 (vertices, 2): where each vertex is now, pixels.
        texture: float32 (vertices, 2): where it is in the texture, its pixels.
        triangles: int32 (triangles, 3), clockwise in the picture as seen.
        whole: int16 (height, width, 2), filled: x and y of the texel.
        part: uint16 (height, width), filled: their fractions in 1/32, as cv2.remap wants.
    """
    height, width = part.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = points[a, 0], points[a, 1]
        bx, by = points[b, 0] - ax, points[b, 1] - ay
        cx, cy = points[c, 0] - ax, points[c, 1] - ay
        area = bx * cy - by * cx
        if area <= 1e-6:
            continue
        u0, v0 = texture[a, 0], texture[a, 1]
        ub, vb = texture[b, 0] - u0, texture[b, 1] - v0
        uc, vc = texture[c, 0] - u0, texture[c, 1] - v0
        ux, uy = (ub * cy - uc * by) / area, (uc * bx - ub * cx) / area
        vx, vy = (vb * cy - vc * by) / area, (vc * bx - vb * cx) / area
        top = max(0, int(np.ceil(ay + min(0.0, by, cy) - 0.5)))
        bottom = min(height, int(np.ceil(ay + max(0.0, by, cy) - 0.5)))
        step_u, step_v = int(ux * 32768), int(vx * 32768)
        for y in range(top, bottom):
            fy = y + 0.5 - ay
            left, right = 1e9, -1e9
            # Where the row crosses each edge.
            if (fy >= 0) != (fy >= by):
                x = bx * fy / by
                left, right = min(left, x), max(right, x)
            if (fy >= 0) != (fy >= cy):
                x = cx * fy / cy
                left, right = min(left, x), max(right, x)
            if (fy >= by) != (fy >= cy):
                x = bx + (cx - bx) * (fy - by) / (cy - by)
                left, right = min(left, x), max(right, x)
            if left > right:
                continue
            start = max(0, int(np.ceil(ax + left - 0.5)))
            end = min(width, int(np.ceil(ax + right - 0.5)))
            fx = start + 0.5 - ax
            # A texel's centre lies half a texel in; 1/32 texel steps, 10 more bits kept.
            u = int((u0 + ux * fx + uy * fy - 0.5) * 32768) + 512
            v = int((v0 + vx * fx + vy * fy - 0.5) * 32768) + 512
            for x in range(start, end):
                fu, fv = u >> 10, v >> 10
                whole[y, x, 0] = fu >> 5
                whole[y, x, 1] = fv >> 5
                part[y, x] = ((fv & 31) << 5) | (fu & 31)
                u += step_u
                v += step_v


@numba.njit(cache=True, nogil=True)
def over(front: Any, alpha: Any, behind: Any) -> None:
    """Lay a picture over another, in place.

    Args:
        front: uint8 (height, width, 3), premultiplied by its alpha.
        alpha: uint8 (height, width).
        behind: uint8 (height, width, 3).
    """
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            rest = 255 - np.int32(alpha[y, x])
            if rest == 0:
                continue
            for k in range(3):
                value = front[y, x, k] + (behind[y, x, k] * rest + 127) // 255
                front[y, x, k] = min(value, 255)


def rotation(angles: Floats) -> Floats:
    """Return the matrices, (..., 3, 3), of head poses, for x right, y down, z away.

    Args:
        angles: Yaw, pitch and roll as in `Motion.pose`, (..., 3).
    """
    (cy, cp, cr), (sy, sp, sr) = (
        np.moveaxis(part, -1, 0) for part in (np.cos(angles), np.sin(angles))
    )
    # About y, then about x, then about z.
    rows = (
        (cr * cy + sr * sp * sy, -sr * cp, -cr * sy + sr * sp * cy),
        (sr * cy - cr * sp * sy, cr * cp, -sr * sy - cr * sp * cy),
        (cp * sy, sp, cp * cy),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2).astype(np.float32)


def compile_kernels() -> None:
    """Compile what is compiled, or load it from Numba's cache: seconds, once."""
    triangle = np.array([[0, 1, 2]], np.int32)
    points = np.array([[0, 0], [2, 0], [0, 2]], np.float32)
    whole, part = np.zeros((2, 2, 2), np.int16), np.zeros((2, 2), np.uint16)
    fill(points, points, triangle, whole, part)
    picture = np.zeros((2, 2, 3), np.uint8)
    over(picture, picture[..., 0].copy(), picture)
