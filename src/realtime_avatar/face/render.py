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
def fill(points: Any, texture: Any, triangles: Any, columns: Any, whole: Any, part: Any) -> None:
    """Write, for every pixel that a triangle covers, where it comes from.

    Later triangles cover earlier ones; those that face away are left out.

    Args:
        points: float32 (vertices, 2): where each vertex is now, pixels.
        texture: float32 (vertices, 2): where it is in the texture, its pixels.
        triangles: int32 (triangles, 3), clockwise in the picture as seen.
        columns: int32 (height, 2): the first pixel of each row that is wanted, and that after
            the last.
        whole: int16 (height, width, 2), filled: x and y of the texel.
        part: uint16 (height, width), filled: their fractions in 1/32, as cv2.remap wants.
    """
    height = len(part)
    half = np.float32(0.5)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = points[a, 0], points[a, 1]
        bx, by = points[b, 0] - ax, points[b, 1] - ay
        cx, cy = points[c, 0] - ax, points[c, 1] - ay
        area = bx * cy - by * cx
        if area <= np.float32(1e-6):
            continue
        # From a, its corners from the uppermost, p, by q to the lowest, r.
        px, py, qx, qy, rx, ry = np.float32(0), np.float32(0), bx, by, cx, cy
        if qy < py:
            px, py, qx, qy = qx, qy, px, py
        if ry < qy:
            qx, qy, rx, ry = rx, ry, qx, qy
        if qy < py:
            px, py, qx, qy = qx, qy, px, py
        top = max(0, int(np.ceil(ay + py - half)))
        bottom = min(height, int(np.ceil(ay + ry - half)))
        if top >= bottom:
            continue
        along = (rx - px) / (ry - py)
        upper = (qx - px) / (qy - py) if qy > py else np.float32(0)
        lower = (rx - qx) / (ry - qy) if ry > qy else np.float32(0)
        bends_left = (qx - px) * (ry - py) < (rx - px) * (qy - py)
        # A texel's centre lies half a texel in; 1/32 texel steps, 10 more bits kept.
        fine = np.float32(32768)
        u0, v0 = texture[a, 0], texture[a, 1]
        ub, vb = texture[b, 0] - u0, texture[b, 1] - v0
        uc, vc = texture[c, 0] - u0, texture[c, 1] - v0
        ux, uy = (ub * cy - uc * by) / area * fine, (uc * bx - ub * cx) / area * fine
        vx, vy = (vb * cy - vc * by) / area * fine, (vc * bx - vb * cx) / area * fine
        step_u, step_v = np.int32(ux), np.int32(vx)
        u0, v0 = (u0 - half) * fine + np.float32(512), (v0 - half) * fine + np.float32(512)
        for y in range(top, bottom):
            fy = np.float32(y) + half - ay
            left = px + along * (fy - py)
            right = px + upper * (fy - py) if fy < qy else qx + lower * (fy - qy)
            if bends_left:
                left, right = right, left
            start = max(columns[y, 0], np.int32(np.ceil(ax - half + left)))
            end = min(columns[y, 1], np.int32(np.ceil(ax - half + right)))
            fx = np.float32(start) + half - ax
            u, v = np.int32(u0 + ux * fx + uy * fy), np.int32(v0 + vx * fx + vy * fy)
            for n in range(end - start):
                x, fu, fv = start + n, np.int32(u + n * step_u), np.int32(v + n * step_v)
                whole[y, x, 0] = fu >> 15
                whole[y, x, 1] = fv >> 15
                part[y, x] = ((fv >> 5) & 992) | ((fu >> 10) & 31)


@numba.njit(cache=True, nogil=True)
def flatten(front: Any, columns: Any, out: Any) -> None:
    """Lay a picture over another, in place.

    Args:
        front: uint8 (height, width, 4), RGB premultiplied by its alpha.
        columns: As of `fill`: beyond them nothing is in front.
        out: uint8 (height, width, 3): what is behind it, then both.
    """
    for y in range(len(front)):
        for x in range(columns[y, 0], columns[y, 1]):
            alpha = front[y, x, 3]
            if alpha == 255:  # most are this or nothing
                for k in range(3):
                    out[y, x, k] = front[y, x, k]
            elif alpha:
                rest = np.int32(255) - np.int32(alpha)
                for k in range(3):
                    value = front[y, x, k] + (out[y, x, k] * rest + 127) // 255
                    out[y, x, k] = min(value, 255)


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
    columns = np.array([[0, 2], [0, 2]], np.int32)
    fill(points, points, triangle, columns, whole, part)
    flatten(np.zeros((2, 2, 4), np.uint8), columns, np.zeros((2, 2, 3), np.uint8))
