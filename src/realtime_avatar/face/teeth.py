"""The upper teeth of a portrait that smiles, for the mouth of one that does not."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_avatar.face.mesh import LOWER_LIP, UPPER_LIP
from realtime_avatar.face.mouth import EDGE_ROW, TEXELS, UPPER_ROWS, generic_teeth

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

_WHITE: Final = np.array([218, 211, 200], np.float32)  # RGB of a tooth, to be lit anew
_SMALLEST = 45  # distance between the outer eye corners of a picture that can lend, pixels
_ROOM = 60  # rows above the edge of the teeth, and below
_WIDEST = 0.27  # of a row of teeth to either side, eyes


def lent(portrait: Picture, points: Floats) -> Picture | None:
    """Return the teeth seen in a portrait, or None if it does not show them well.

    Args:
        portrait: RGB.
        points: Landmarks, (478, 3), in its pixels.

    Returns:
        uint8 RGBA in the layout of the generic teeth, with their lower row.
    """
    eyes = float(np.linalg.norm(points[33] - points[263]))
    if eyes < _SMALLEST:
        return None
    generic = generic_teeth()
    columns, rows = generic.shape[1], 2 * _ROOM + UPPER_ROWS
    patch, lips = _straight(portrait, points, columns, rows)
    inner = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(inner, [np.rint(lips).astype(np.int32)], 1)
    tooth = _bright(patch, inner > 0)
    if tooth is None:
        return None
    edge, top = _edges(tooth)
    middle = np.abs(np.arange(columns) + 0.5 - columns / 2)
    there = (edge > 0) & (middle < _WIDEST * TEXELS)
    central = there & (middle < 0.12 * TEXELS)
    if there.sum() < 0.26 * TEXELS or central.sum() < 0.8 * 0.24 * TEXELS:
        return None
    edge = _even(edge, there)
    if np.median((edge - top)[central]) < 0.035 * TEXELS:
        return None
    return _drawn(patch, edge, top, there, generic)


def _straight(portrait: Picture, points: Floats, columns: int, rows: int) -> tuple[Picture, Floats]:
    """Return the mouth as large as the generic teeth, and the inner lips in it."""
    across = points[263, :2] - points[33, :2]
    down = np.array([-across[1], across[0]])
    at = points[[13, 14, 0, 17], :2].mean(0)
    source = np.stack([at, at + across, at + down]).astype(np.float32)
    x, y = columns / 2, rows / 2
    target = np.array([(x, y), (x + TEXELS, y), (x, y + TEXELS)], np.float32)
    matrix = cv2.getAffineTransform(source, target)
    patch = cv2.warpAffine(
        portrait, matrix, (columns, rows), flags=cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    outline = points[[*UPPER_LIP, *LOWER_LIP[-2:0:-1]], :2]
    return np.asarray(patch, np.uint8), outline @ matrix[:, :2].T + matrix[:, 2]


def _bright(patch: Picture, inner: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return where teeth are: between the lips, brighter and less red than the rest."""
    if inner.sum() < 400:
        return None
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).astype(np.float32)
    score = cv2.GaussianBlur(lab[..., 0] - 2.0 * (lab[..., 1] - 128), (0, 0), 2)
    score = np.clip(np.asarray(score), 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(score[inner], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    tooth = inner & (score > threshold)
    # Lips alone split in two as well, but not as far apart.
    if not tooth.any() or float(score[tooth].mean()) - float(score[inner & ~tooth].mean()) < 35:
        return None
    clean = cv2.morphologyEx(tooth.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, about, _ = cv2.connectedComponentsWithStats(clean)
    if count < 2:
        return None
    return labels == 1 + int(np.argmax(about[1:, 4]))


def _edges(tooth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the last and the first row of the uppermost run of teeth in each column."""
    columns = tooth.shape[1]
    edge, top = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    for column in range(columns):
        seen = np.flatnonzero(tooth[:, column])
        if len(seen):
            gap = np.flatnonzero(np.diff(seen) > 3)
            edge[column] = seen[gap[0]] if len(gap) else seen[-1]
            top[column] = seen[0]
    for values in (edge, top):
        smooth = cv2.medianBlur(values[None], 5)[0]
        values[:] = cv2.GaussianBlur(smooth[None], (0, 0), 1.5)[0] * (values > 0)
    return edge, top


def _even(edge: Floats, there: NDArray[np.bool_]) -> Floats:
    """Return the edge kept near a smooth curve, and a little inside, clear of the lip."""
    at = np.linspace(-1, 1, len(edge))
    trust = there.astype(np.float64)
    curve = np.zeros(len(edge))
    for _ in range(6):
        curve = np.polynomial.Polynomial.fit(at, edge, 4, domain=[-1, 1], w=np.sqrt(trust))(at)
        trust = there / (1 + ((edge - curve) / 6) ** 4)
    low, high = curve - 0.03 * TEXELS, curve + 0.012 * TEXELS
    return (np.clip(edge, low, high) - 1.5).astype(np.float32)


def _drawn(
    patch: Picture, edge: Floats, top: Floats, there: NDArray[np.bool_], generic: Picture
) -> Picture:
    """Return the generic teeth with the upper row replaced."""
    rows, columns = patch.shape[:2]
    y = np.arange(rows)[:, None] + 0.5
    inside = (y > top + 2) & (y < edge) & there
    colours = patch[inside].astype(np.float32)
    bright = colours[colours.sum(1) >= np.percentile(colours.sum(1), 60)]
    gain = _WHITE / np.maximum(np.median(bright, 0), 1)
    # Above the lip's edge goes on what is seen just below it.
    source = np.maximum(y, top + 3).astype(np.float32)
    x = np.broadcast_to(np.arange(columns, dtype=np.float32), source.shape)
    colour = cv2.remap(patch, x.copy(), source - 0.5, cv2.INTER_LINEAR).astype(np.float32) * gain
    middle = np.abs(np.arange(columns) + 0.5 - columns / 2)
    sides = np.clip((_WIDEST * TEXELS - middle) / 12, 0, 1) * cv2.blur(
        there.astype(np.float32)[None], (9, 1)
    )
    alpha = np.clip((edge - y) / 1.5 + 0.5, 0, 1) * sides
    # The incisors end where the generic ones do.
    shift = round(float(np.median(edge[there & (middle < 0.06 * TEXELS)]))) - EDGE_ROW
    own = np.dstack([np.clip(colour, 0, 255), 255 * alpha])
    result = generic.copy()
    first = max(0, -shift)
    part = own[shift + first : shift + UPPER_ROWS]
    result[first : first + len(part)] = np.rint(part)
    return result
