"""Lids and gaze: the eyes repainted in the texture before it is warped.

Each eye has a frame of its own, u from corner to corner and v down, in which the lid
edges are curves v(u). A lid that moves carries its lashes with it unstretched and draws
the skin behind it out smoothly, as a real lid unfolds; where it has left, the eyeball
shows, completed where the lids hid it. So nothing can fold, however far the eye is shut.
"""

# pyright: reportUnknownParameterType=false, reportMissingParameterType=false

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.mesh import BROWS, EYES, IRISES
from realtime_avatar.media.motion import INDEX

Floats = NDArray[np.float32]

MEET: Final = 0.2
"""Where the lids meet: share of the opening above the lower lid."""

LASH_OUT: Final = 0.035
"""What moves unstretched on the far side of a lid's edge, widths of the eye."""

LASH_IN: Final = 0.05
"""The same on the eyeball's side."""

_YAW, _PITCH = 0.17, 0.11  # shift of the iris for a gaze of 1, widths of the eye
_SIDES = ("Right", "Left")  # the person's own: their right eye is left in the picture
_OUTWARDS = np.array([-_YAW, _YAW], np.float32)
_COLUMNS = {
    name: [INDEX[name + side] for side in _SIDES]
    for name in (
        "eyeBlink", "eyeSquint", "eyeWide", "eyeLookDown", "eyeLookUp", "eyeLookOut", "eyeLookIn"
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye of a texture, at rest.

    Attributes:
        top: First row of the region in the texture.
        left: First column.
        skin: uint8 (rows, columns, 3): the region as it is in the portrait.
        soft: uint8, the same shape: the skin without lashes and lines.
        ball: uint8, the same shape: the eyeball alone, without lids and lashes.
        upper: float32 (columns of the frame,): v of the upper lid's edge, from u = -0.5 to
            1.5 widths.
        lower: The same for the lower lid.
        lash: float32 (columns of the frame, 3): the colour of the lashes' root.
        frame: (6,): the texture's x, y to u, v: u = f0 x + f1 y + f2, v = f3 x + f4 y + f5.
        width: From corner to corner, texels.
        room: From the upper lid's edge to the brow, texels.
        iris: Its u, v and radius.
    """

    top: int
    left: int
    skin: NDArray[np.uint8]
    soft: NDArray[np.uint8]
    ball: NDArray[np.uint8]
    upper: Floats
    lower: Floats
    lash: Floats
    frame: Floats
    width: float
    room: float
    iris: tuple[float, float, float]


def find(texture: NDArray[np.uint8], points: Floats) -> tuple[Eye, Eye]:
    """Return both eyes, the one that is left in the picture first.

    Args:
        texture: RGB.
        points: Landmarks, (478, 3), in its pixels.
    """
    first, second = (_eye(texture, points[:, :2], side) for side in (0, 1))
    return first, second


def _eye(texture: NDArray[np.uint8], points: Floats, side: int) -> Eye:
    upper, lower = (points[list(ids)] for ids in EYES[side])
    start, end = upper[0], upper[-1]
    width = float(np.linalg.norm(end - start))
    u_axis = (end - start) / width
    v_axis = np.array([-u_axis[1], u_axis[0]])
    frame = np.concatenate([u_axis, [-start @ u_axis], v_axis, [-start @ v_axis]])

    centre = (start + end) / 2
    reach = width * np.array([0.95, 0.95])
    low = np.clip(np.floor(centre - reach), 0, None).astype(int)
    high = np.minimum(np.ceil(centre + reach), texture.shape[1::-1]).astype(int)
    skin = np.ascontiguousarray(texture[low[1] : high[1], low[0] : high[0]])

    columns = np.linspace(-0.5, 1.5, 129) * width
    curves: list[Floats] = []
    for edge in (upper, lower):
        u, v = (edge - start) @ u_axis, (edge - start) @ v_axis
        # Zero at both corners, a quartic between them, along the corners' line beyond.
        t = u / width
        rows = (t * (1 - t))[:, None] * t[:, None] ** np.arange(3)
        fit = np.linalg.lstsq(rows, v, rcond=None)[0]
        t = np.clip(columns / width, 0, 1)
        curves.append(((t * (1 - t))[:, None] * t[:, None] ** np.arange(3)) @ fit)
    above, below = curves
    below = np.maximum(below, above)

    rim = points[list(IRISES[side])]
    iris = (
        float((rim[0] - start) @ u_axis),
        float((rim[0] - start) @ v_axis),
        float(np.linalg.norm(rim[1:] - rim[0], axis=1).mean()),
    )
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    u, v = (frame[i] * x + frame[i + 1] * y + frame[i + 2] for i in (0, 3))
    over = np.interp(u, columns, above) + LASH_IN * width
    under = np.interp(u, columns, below) - 0.5 * LASH_IN * width
    inside = (v > over) & (v < under) & (u > 0.04 * width) & (u < 0.96 * width)
    ball = _ball(skin, u, v, inside, iris)
    brow = points[list(BROWS[side])]
    brow_u, brow_v = (brow - start) @ u_axis, (brow - start) @ v_axis
    order = np.argsort(brow_u)
    room = float(np.mean(np.interp(brow_u[1:4], columns, above) - brow_v[1:4]))
    bare = v > np.interp(u, brow_u[order], brow_v[order]) + 0.12 * max(room, 0)
    lids = np.interp(u, columns, above) - v, v - np.interp(u, columns, below)
    soft = _soft(skin, bare & ((lids[0] > 0.07 * width) | (lids[1] > 0.08 * width)), width)
    lash = _lash(skin, u, v - np.interp(u, columns, above), columns, width)
    return Eye(
        int(low[1]), int(low[0]), skin, soft, ball,
        above.astype(np.float32), below.astype(np.float32), lash,
        frame.astype(np.float32), width, room, iris,
    )  # fmt: skip


def _nearest(image: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the image with every pixel that is not valid as its nearest valid one."""
    _, labels = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(labels, np.intp)
    colours = np.zeros((int(label.max()) + 1, 3), np.uint8)
    colours[label[valid]] = image[valid]
    return colours[label]


def _soft(skin: NDArray[np.uint8], bare: NDArray[np.bool_], width: float) -> NDArray[np.uint8]:
    """Return the skin as it is once a fold is drawn out: no lashes, no crease, no brow."""
    size = max(3, int(0.1 * width) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(_nearest(skin, bare), cv2.MORPH_CLOSE, kernel)
    return np.asarray(cv2.GaussianBlur(closed, (0, 0), 0.06 * width), np.uint8)


def _ball(
    skin: NDArray[np.uint8],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    inside: NDArray[np.bool_],
    iris: tuple[float, float, float],
) -> NDArray[np.uint8]:
    """Return the eyeball, made up where the lids hide it.

    The iris is round: what is hidden of it looks like what is seen at the same radius.
    The white goes on as it is at the nearest seen place, softened.
    """
    if not inside.any():
        return skin.copy()
    cu, cv, radius = iris
    r = np.hypot(u - cu, v - cv)
    hidden = (~inside).astype(np.uint8)
    # The white first, from seen places clear of the iris.
    white = inside & (r > 1.12 * radius)
    ball = skin.astype(np.float32)
    if white.any():
        filled = cv2.GaussianBlur(_nearest(skin, white), (0, 0), max(1.0, radius * 0.18))
        ball = np.where(inside[..., None], ball, filled)
    seen = inside & (r <= 1.15 * radius)
    if seen.any():
        step = max(1.0, radius / 12)
        bins = np.arange(0, 1.3 * radius, step)
        profile = np.zeros((len(bins), 3), np.float32)
        known = np.zeros(len(bins), bool)
        for i, at in enumerate(bins):
            ring = seen & (np.abs(r - at) <= step)
            if ring.sum() >= 3:
                profile[i], known[i] = np.median(skin[ring], axis=0), True
        if known.any():
            at = np.arange(len(bins))
            full = np.stack([np.interp(at, at[known], profile[known, k]) for k in range(3)], axis=1)
            disc = np.stack([np.interp(r, bins, full[:, k]) for k in range(3)], axis=-1)
            share = np.clip((1.08 * radius - r) / (0.12 * radius), 0, 1) * hidden
            ball = ball * (1 - share[..., None]) + disc * share[..., None]
    # Seen and made-up parts meet softly.
    soft = cv2.GaussianBlur(ball, (0, 0), max(0.8, radius * 0.1))
    seam = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), max(0.8, radius * 0.08))
    ball = ball * (1 - seam[..., None]) + soft * seam[..., None]
    return np.clip(np.rint(ball), 0, 255).astype(np.uint8)


def _lash(
    skin: NDArray[np.uint8],
    u: NDArray[np.float64],
    beyond: NDArray[np.float64],
    columns: NDArray[np.float64],
    width: float,
) -> Floats:
    """Return the dark of the upper lashes' root along u, smoothed."""
    band = np.abs(beyond) < 0.04 * width
    light = skin.astype(np.float32).sum(2)
    at = np.linspace(0.08, 0.92, 12) * width
    colours = np.zeros((12, 3), np.float32)
    for i, here in enumerate(at):
        near = band & (np.abs(u - here) < 0.06 * width)
        if near.sum() < 4:
            colours[i] = (40, 30, 26)
            continue
        dark = light[near] <= np.percentile(light[near], 25)
        colours[i] = skin[near][dark].mean(0)
    weight = np.exp(-(((at[:, None] - at[None]) / (0.15 * width)) ** 2))
    colours = (weight @ colours) / weight.sum(1, keepdims=True)
    return np.stack([np.interp(columns, at, colours[:, k]) for k in range(3)], 1).astype(np.float32)


def pose(weights: Floats) -> Floats:
    """Return for each eye: upper lid shut, lower lid raised, gaze right and gaze down.

    Args:
        weights: ARKit, (..., 52).

    Returns:
        (..., 2, 4), the eye that is left in the picture first. The upper lid follows the gaze,
        and negative values open the eye wider than at rest.
    """
    of = {name: weights[..., columns] for name, columns in _COLUMNS.items()}
    blink, squint = of["eyeBlink"], of["eyeSquint"]
    down = of["eyeLookDown"] - of["eyeLookUp"]
    outwards = of["eyeLookOut"] - of["eyeLookIn"]
    lid = 0.12 * squint - 0.4 * of["eyeWide"] + np.where(down > 0, 0.4, 0.16) * down
    shut = np.minimum(1.0, blink + lid * (1 - blink))
    raised = np.minimum(1.0, np.maximum(blink, 0.45 * squint + 0.05 * np.maximum(down, 0.0)))
    return np.stack([shut, raised, outwards * _OUTWARDS, down * _PITCH], -1).astype(np.float32)


def paint(texture: NDArray[np.uint8], eye: Eye, state: Floats) -> None:
    """Repaint one eye in the texture, in place.

    Args:
        texture: RGB, the one that the eye was found in, or its copy.
        eye: The eye.
        state: Its row of `pose`.
    """
    rows, columns = eye.skin.shape[:2]
    out = texture[eye.top : eye.top + rows, eye.left : eye.left + columns]
    shut, raised, right, down = (float(value) for value in state)
    _paint(
        out, eye.skin, eye.soft, eye.ball, eye.upper, eye.lower, eye.lash, eye.frame,
        np.float32(eye.left), np.float32(eye.top), np.float32(eye.width), np.float32(eye.room),
        *eye.iris,
        shut, raised, right * eye.width, down * eye.width,
    )  # fmt: skip


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _sample(image: Any, x: Any, y: Any, k: Any) -> Any:
    x = min(max(x - 0.5, 0.0), image.shape[1] - 1.001)
    y = min(max(y - 0.5, 0.0), image.shape[0] - 1.001)
    ix, iy = int(x), int(y)
    fx, fy = x - ix, y - iy
    top = image[iy, ix, k] * (1 - fx) + image[iy, ix + 1, k] * fx
    return top * (1 - fy) + (image[iy + 1, ix, k] * (1 - fx) + image[iy + 1, ix + 1, k] * fx) * fy


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _smooth(t: Any) -> Any:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


@numba.njit(cache=True, fastmath=True, nogil=True)
def _paint(
    out, skin, soft, ball, upper, lower, lash, frame, left, top, width, room,
    iris_u, iris_v, radius, shut, raised, right, down,
) -> None:  # fmt: skip
    last = len(upper) - 1
    lash_out, lash_in = LASH_OUT * width, LASH_IN * width
    # A hardly moved eye is the portrait's own, so that rest is exactly the photograph.
    moved = _smooth(12 * max(abs(shut), abs(raised), 5 * abs(right) / width, 5 * abs(down) / width))
    closing = _smooth(shut * 1.3)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = left + column + 0.5, top + row + 0.5
            u = frame[0] * x + frame[1] * y + frame[2]
            if u <= 0 or u >= width:
                continue
            v = frame[3] * x + frame[4] * y + frame[5]
            at = (u / width + 0.5) * 0.5 * last
            i = int(at)
            f = at - i
            upper_rest = upper[i] * (1 - f) + upper[i + 1] * f
            lower_rest = lower[i] * (1 - f) + lower[i + 1] * f
            meet = lower_rest + (upper_rest - lower_rest) * MEET
            drop = shut * (meet - upper_rest)
            rise = raised * (meet - lower_rest)  # negative: up
            upper_now, lower_now = upper_rest + drop, lower_rest + rise
            beyond, below = upper_now - v, v - lower_now
            stretch = max(min(max(0.34 * width, 2.4 * abs(drop)), room), 1.55 * abs(drop))
            stretch_under = max(0.3 * width, 2.4 * abs(rise))
            if beyond > lash_out + stretch or below > lash_out + stretch_under:
                for k in range(3):
                    out[row, column, k] = skin[row, column, k]
                continue

            # How much of each layer is seen here.
            lid = 1 - _smooth(-beyond / lash_in)
            under = (1 - lid) * (1 - _smooth(-below / (0.6 * lash_in)))
            globe = 1 - lid - under

            # A lid: lashes unstretched, then skin drawn out, then as it was.
            give = _smooth((beyond - lash_out) / stretch)
            lid_dv = drop * (1 - give)
            under_dv = rise * (1 - _smooth((below - lash_out) / stretch_under))
            # What was folded away comes out smooth.
            plain = (
                0.75
                * closing
                * _smooth((beyond - lash_out) / (0.05 * width))
                * (1 - _smooth((beyond - 0.5 * stretch) / (0.5 * stretch)))
                * _smooth(6 * drop / width)
            )

            # The eyeball: the iris moves whole, the white beside it gives.
            off = u - iris_u - right
            if off < 0:
                slack = max(iris_u + right - 1.15 * radius, 1.0)
            else:
                slack = max(width - iris_u - right - 1.15 * radius, 1.0)
            turn = 1 - min(max((abs(off) - 1.15 * radius) / slack, 0.0), 1.0)
            shade = 1 - 0.45 * max(shut, 0.0) * (1 - _smooth(-beyond / (0.3 * width)))

            # The root of the lashes along the closed edge, which the portrait shows only
            # against the eyeball.
            edge = beyond / (0.028 * width)
            line = 0.0
            if shut > 0 and -2.5 < edge < 2.5:
                inner = _smooth(u / (0.12 * width)) * _smooth((width - u) / (0.08 * width))
                line = np.exp(-edge * edge) * 0.75 * _smooth(shut * 1.6) * inner

            for k in range(3):
                value = np.float32(0.0)
                if lid > 0:
                    upon = _shifted(skin, frame, x, y, lid_dv, left, top, k)
                    if plain > 0:
                        upon += plain * (_shifted(soft, frame, x, y, lid_dv, left, top, k) - upon)
                    value += lid * upon
                if under > 0:
                    value += under * _shifted(skin, frame, x, y, under_dv, left, top, k)
                if globe > 0:
                    bx = x - right * turn * frame[0] - down * turn * frame[3]
                    by = y - right * turn * frame[1] - down * turn * frame[4]
                    value += globe * shade * _sample(ball, bx - left, by - top, k)
                if lash[i, k] < value:
                    value += line * (lash[i, k] - value)
                value = skin[row, column, k] + moved * (value - skin[row, column, k])
                out[row, column, k] = int(min(max(value + 0.5, 0.0), 255.0))


@numba.njit(cache=True, fastmath=True, nogil=True, inline="always")
def _shifted(skin, frame, x, y, dv, left, top, k) -> Any:
    """Sample the skin `dv` further up the eye's v axis."""
    return _sample(skin, x - dv * frame[3] - left, y - dv * frame[4] - top, k)


def compile_kernels() -> None:
    """Compile what is compiled, or load it from Numba's cache: seconds, once."""
    patch = np.zeros((2, 2, 3), np.uint8)
    line, lash = np.zeros(129, np.float32), np.zeros((129, 3), np.float32)
    eye = Eye(
        0,
        0,
        patch,
        patch,
        patch,
        line,
        line,
        lash,
        np.zeros(6, np.float32),
        1.0,
        1.0,
        (0.0, 0.0, 1.0),
    )
    paint(np.zeros((4, 4, 3), np.uint8), eye, np.zeros(4, np.float32))
