"""What is behind the lips: cavity, tongue, lower teeth, upper teeth, and their light.

The upper teeth are fixed to the skull, the lower ones and the tongue to the jaw; all lie
in a plane a little behind the lips, so that they shift against them as the head turns.
They are painted where the inner edge of the lips leaves them to be seen, darker near the
lips and with depth.
"""

# pyright: reportUnknownParameterType=false, reportMissingParameterType=false

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.mesh import EYES, IRISES, LOWER_LIP, UPPER_LIP, Mesh, basis

Floats = NDArray[np.float32]

TEXELS: Final = 512
"""Of a picture of teeth to the distance between the outer eye corners."""

UPPER_ROWS: Final = 104
"""Of that picture, before the lower row begins."""

EDGE_ROW: Final = 92
"""In which the upper incisors end."""

TIP_ROW: Final = 14
"""Of the lower row, in which its incisors end, as training/face/teeth.py laid it out."""

OVERLAP: Final = 0.03
"""How far the upper incisors reach below the closed lips' line, eyes."""

TIPS: Final = 0.044
"""How far below that line the lower incisors' tips are, mouth shut, eyes."""

FLATTER: Final = 0.35
"""How much less the upper row curves than in the smile it was taken from."""

_BEHIND = 0.13  # how far the teeth are behind the lips, eyes
CHIN: Final = (152, 175, 199, 200, 148, 377)
"""Landmarks that go with the jaw alone."""


@cache
def generic_teeth() -> NDArray[np.uint8]:
    """Return the picture of nobody's teeth, RGBA, both rows."""
    data = (files("realtime_avatar.face") / "data" / "teeth.png").read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(cv2.cvtColor(np.asarray(picture), cv2.COLOR_BGRA2RGBA), np.uint8)


@dataclass(frozen=True, slots=True)
class Mouth:
    """A portrait's mouth at rest.

    Attributes:
        rim: Indices of the vertices of the inner lips, all round.
        anchor: (3,): the closed lips' line at the teeth's depth, pixels.
        right: (3,): one eye distance along the mouth, pixels.
        down: (3,): one eye distance down the face, pixels.
        teeth: float32 (rows, columns, 4): RGBA of both rows in the portrait's light.
        texels: Of that picture to one eye distance.
        flesh: float32 (2, 3): RGB of the cavity's depth and of the tongue.
    """

    rim: NDArray[np.int64]
    anchor: Floats
    right: Floats
    down: Floats
    teeth: Floats
    texels: float
    flesh: Floats


def find(
    texture: NDArray[np.uint8], points: Floats, mesh: Mesh, teeth: NDArray[np.uint8] | None = None
) -> Mouth:
    """Return the mouth of a portrait.

    Args:
        texture: RGB.
        points: Landmarks in the texture's pixels.
        mesh: The portrait's mesh.
        teeth: The person's own, in the layout of the generic ones.
    """
    base = basis()
    upper, lower = base.chain(UPPER_LIP), base.chain(LOWER_LIP)
    rim = np.concatenate([upper, lower[-2:0:-1]])
    corners = mesh.rest[[78, 308]]
    right = corners[1, :2] - corners[0, :2]
    right = right / np.linalg.norm(right)
    line = (mesh.rest + mesh.shut)[[13, 14, 82, 87, 312, 317]].mean(0)
    anchor = np.array([line[0], line[1], line[2] + _BEHIND * mesh.eyes], np.float32)
    light = _light(texture, points)
    fitted, shrink = _fitted(generic_teeth() if teeth is None else teeth, mesh.eyes)
    fitted[..., :3] *= light * 0.95
    fitted[round(UPPER_ROWS * shrink) :, :, :3] *= (1.08, 0.99, 0.87)  # lower teeth are yellower
    flesh = np.array([[46, 17, 16], [150, 82, 78]], np.float32) * light
    return Mouth(
        rim,
        anchor,
        np.array([right[0], right[1], 0], np.float32) * mesh.eyes,
        np.array([-right[1], right[0], 0], np.float32) * mesh.eyes,
        fitted,
        shrink * TEXELS,
        flesh,
    )


def _fitted(picture: NDArray[np.uint8], eyes: float) -> tuple[Floats, float]:
    """Return the teeth's picture no finer than it will be seen, and how much it shrank."""
    teeth = picture.astype(np.float32)
    rows, columns = teeth.shape[:2]
    shrink = min(1.0, 1.5 * eyes / TEXELS)
    shape = (round(columns * shrink), round(rows * shrink))
    share = teeth[..., 3:] / 255
    both = np.concatenate([teeth[..., :3] * share, share], 2)
    small = np.asarray(cv2.resize(both, shape, interpolation=cv2.INTER_AREA))
    colour = cv2.resize(teeth[..., :3], shape, interpolation=cv2.INTER_AREA)
    seen = small[..., 3:]
    straight = np.where(seen > 0.02, small[..., :3] / np.maximum(seen, 0.02), colour)
    return np.concatenate([straight, seen * 255], 2).astype(np.float32), shape[0] / columns


def _light(texture: NDArray[np.uint8], points: Floats) -> Floats:
    """Return the colour of the light on the face, 1 for a well lit studio: RGB gains.

    The whites of the eyes are the one thing in every portrait that is nearly white; they
    lie in shade, so a tooth that catches the light is brighter.
    """
    whites: list[NDArray[np.float32]] = []
    for (upper, lower), iris in zip(EYES, IRISES, strict=True):
        outline = np.concatenate([points[list(upper), :2], points[list(lower[-2:0:-1]), :2]])
        mask = np.zeros(texture.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
        rim = points[list(iris), :2]
        radius = np.linalg.norm(rim[1:] - rim[0], axis=1).mean() * 1.1
        cv2.circle(
            mask, (round(float(rim[0, 0])), round(float(rim[0, 1]))), round(float(radius)), 0, -1
        )
        whites.append(texture[mask > 0].astype(np.float32))
    seen = np.concatenate(whites)
    if len(seen) < 20:  # eyes closed or tiny
        return np.full(3, 0.8, np.float32)
    bright = seen.sum(1) >= np.percentile(seen.sum(1), 70)
    white = np.median(seen[bright], axis=0)
    level = np.clip(1.3 * white.mean() / 205, 0.55, 1.08)
    tint = white / white.mean()
    return (level * (1 + 0.35 * (tint - 1))).astype(np.float32)


class Painter:
    """Paints the mouth of one session.

    Args:
        mouth: What to paint.
        mesh: The portrait's mesh.
    """

    def __init__(self, mouth: Mouth, mesh: Mesh) -> None:
        self._mouth, self._mesh = mouth, mesh
        self._chin = np.array(CHIN)
        self._shut = mesh.rest + mesh.shut

    def paint(
        self,
        frame: NDArray[np.uint8],
        points: Floats,
        moved: Floats,
        turn: Floats,
        tongue: float,
        rounded: float,
    ) -> None:
        """Paint what is seen between the lips, in place.

        Args:
            frame: RGB, warped.
            points: (vertices, 2): where the mesh is in it.
            moved: (vertices, 3): where it would be without the head's pose.
            turn: (2, 4): the head's pose: rest x, y, z, 1 to the picture's x, y.
            tongue: ARKit's tongueOut.
            rounded: How far the lips are pushed out, in [0, 1]: they shade the teeth.
        """
        mouth, eyes = self._mouth, self._mesh.eyes
        rim = points[mouth.rim]
        half = len(rim) // 2
        lower = np.concatenate([rim[half:], rim[:1]])[::-1]
        gap = float((lower - rim[: half + 1])[:, 1].max())
        if gap < 0.004 * eyes:
            return
        margin = 2 + 0.03 * eyes
        height, width = frame.shape[:2]
        x0, y0 = np.maximum(np.floor(rim.min(0) - margin), 0).astype(int)
        x1 = min(width, int(np.ceil(rim[:, 0].max() + margin)))
        y1 = min(height, int(np.ceil(rim[:, 1].max() + margin)))
        if x1 <= x0 or y1 <= y0:
            return

        outline = _round(rim) - np.array([x0, y0]) - 0.5
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        soft = max(0.55, 0.0055 * eyes)
        seen = cv2.GaussianBlur(mask, (0, 0), soft)
        depth = cv2.GaussianBlur(mask, (0, 0), 0.05 * eyes)

        # The skull's frame in the picture, and how far the jaw has gone in it, eyes.
        base, right, down = (
            turn[:, :3] @ vector + turn[:, 3] * last
            for vector, last in ((mouth.anchor, 1), (mouth.right, 0), (mouth.down, 0))
        )
        to_mouth = np.linalg.inv(np.stack([right, down], 1)).astype(np.float32)
        jaw = (moved[self._chin] - self._shut[self._chin]).mean(0)
        jaw_x = float(jaw[:2] @ mouth.right[:2]) / eyes**2
        jaw_y = float(jaw[:2] @ mouth.down[:2]) / eyes**2
        _paint(
            frame[y0:y1, x0:x1], seen, depth, to_mouth,
            np.float32(base[0] - x0), np.float32(base[1] - y0),
            mouth.teeth, np.float32(mouth.texels), mouth.flesh,
            np.float32(jaw_x), np.float32(max(jaw_y, 0.0)), np.float32(tongue),
            np.float32(rounded),
        )  # fmt: skip


def _round(rim: Floats) -> Floats:
    """Return the closed curve through the points, four times as fine (Catmull-Rom)."""
    before, after, later = np.roll(rim, 1, 0), np.roll(rim, -1, 0), np.roll(rim, -2, 0)
    t = (np.arange(4) / 4)[None, :, None]
    curve = 0.5 * (
        2 * rim[:, None]
        + (after - before)[:, None] * t
        + (2 * before - 5 * rim + 4 * after - later)[:, None] * t**2
        + (3 * rim - before - 3 * after + later)[:, None] * t**3
    )
    return curve.reshape(-1, 2).astype(np.float32)


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _smooth(t: Any) -> Any:
    t = min(max(t, np.float32(0.0)), np.float32(1.0))
    return t * t * (3 - 2 * t)


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _texel(image: Any, x: Any, y: Any, k: Any) -> Any:
    ix, iy = int(x), int(y)
    fx, fy = x - ix, y - iy
    top = image[iy, ix, k] * (1 - fx) + image[iy, ix + 1, k] * fx
    return top * (1 - fy) + (image[iy + 1, ix, k] * (1 - fx) + image[iy + 1, ix + 1, k] * fx) * fy


@numba.njit(cache=True, fastmath=True, nogil=True)
def _paint(
    out, seen, depth, to_mouth, base_x, base_y, teeth, texels, flesh, jaw_x, jaw_y, tongue, rounded
) -> None:
    rows, columns = teeth.shape[0], teeth.shape[1]
    fine = texels / np.float32(TEXELS)
    seam, edge_row = UPPER_ROWS * fine, EDGE_ROW * fine
    shade = int(0.035 / np.sqrt(to_mouth[0, 0] ** 2 + to_mouth[0, 1] ** 2))
    tip_row = seam + TIP_ROW * fine
    colour = np.empty(3, np.float32)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            share = seen[row, column] / np.float32(255)
            if share <= 0.004:
                continue
            dx, dy = column + 0.5 - base_x, row + 0.5 - base_y
            x = to_mouth[0, 0] * dx + to_mouth[0, 1] * dy  # eyes, from the lips' middle
            y = to_mouth[1, 0] * dx + to_mouth[1, 1] * dy
            side = x - jaw_x
            # Below the lower incisors' tips; the row curves up to its ends.
            tip = y - jaw_y - TIPS + 0.7 * side * side
            # How much of the light from outside gets here; the upper lip shades what is
            # just under it.
            open_here = depth[row, column] / np.float32(255)
            open_above = depth[max(row - shade, 0), column] / np.float32(255)
            sky = _smooth(1.35 * open_here)
            under = _smooth(1.5 * (0.35 * open_here + 0.65 * open_above))

            # The cavity: darkest at the top, the floor of the mouth a little redder.
            floor = _smooth((tip + 0.24) / 0.26)
            # The tongue: a mound behind the lower teeth; its tip goes up for th and l.
            mound = 1 - (side / 0.2) ** 2
            rest = -0.11 * mound + 0.01
            top = rest + tongue * (min(OVERLAP - jaw_y - TIPS, rest) - 0.03 - rest)
            body = _smooth((tip - top) / 0.07) * _smooth(mound * 2.2)
            groove = 1 - 0.12 * np.exp(-((side / 0.02) ** 2)) * (1 - tongue)
            lit = (0.46 + 0.45 * tongue + 0.3 * _smooth((tip - top) / 0.12)) * groove
            light = 0.42 + 0.58 * sky
            for k in range(3):
                deep = flesh[0, k] * (0.62 + 0.75 * floor)
                colour[k] = deep * light + body * (
                    flesh[1, k] * lit * (light + 0.3 * tongue) - deep * light
                )

            # Lower teeth, then upper. Under the lips' edges they lie in shadow.
            tx = side * texels * 1.02 + columns * 0.5 - 0.5
            ty = tip * texels + tip_row - 0.5
            if tx > 0 and tx < columns - 1 and ty > seam + 1:
                ty = min(ty, rows - 2.0)
                alpha = _texel(teeth, tx, ty, 3) / 255 * (1 - tongue * _smooth(mound * 2))
                dim = 0.76 * (1 - 4.5 * side * side) * (0.55 + 0.45 * sky)
                dim *= 1 - 0.5 * _smooth(tip / 0.08)
                for k in range(3):
                    colour[k] += alpha * (_texel(teeth, tx, ty, k) * dim - colour[k])
            tx = x * texels + columns * 0.5 - 0.5
            ty = (y - OVERLAP - FLATTER * x * x) * texels + edge_row - 0.5
            if tx > 0 and tx < columns - 1 and ty < seam - 2:
                ty = max(ty, 0.0)
                alpha = _texel(teeth, tx, ty, 3) / 255
                dim = (1 - 6.5 * x * x) * (0.5 + 0.5 * under) * (1 - 0.6 * rounded)
                for k in range(3):
                    colour[k] += alpha * (_texel(teeth, tx, ty, k) * dim - colour[k])

            for k in range(3):
                value = out[row, column, k] + share * (colour[k] - out[row, column, k])
                out[row, column, k] = int(min(max(value + 0.5, 0.0), 255.0))


def compile_kernels() -> None:
    """Compile what is compiled, or load it from Numba's cache: seconds, once."""
    mask, zero = np.zeros((2, 2), np.uint8), np.float32(0)
    _paint(
        np.zeros((4, 4, 3), np.uint8)[:2, :2], mask, mask, np.eye(2, dtype=np.float32),
        zero, zero, np.zeros((2, 2, 4), np.float32), zero, np.zeros((2, 3), np.float32),
        zero, zero, zero, zero,
    )  # fmt: skip
