"""What `mouth` does to pixels, for many portraits at once, as Triton kernels."""

# ruff: noqa: N803
# pyright: basic
# pyright: reportMissingImports=false, reportUndefinedVariable=false

from typing import Final

import triton
import triton.language as tl

from realtime_avatar.face import mouth
from realtime_avatar.face.batch.skin import smooth
from realtime_avatar.face.batch.tables import ADDRESSES, NUMBERS, POSED, SIZES

_A: Final = tl.constexpr(len(ADDRESSES))
_S: Final = tl.constexpr(len(SIZES))
_N: Final = tl.constexpr(len(NUMBERS))
_P: Final = tl.constexpr(len(POSED))
_TEXELS, _UPPER_ROWS, _EDGE_ROW, _TIP_ROW = (
    tl.constexpr(x) for x in (mouth.TEXELS, mouth.UPPER_ROWS, mouth.EDGE_ROW, mouth.TIP_ROW)
)
_OVERLAP, _TIPS, _FLATTER = (tl.constexpr(x) for x in (mouth.OVERLAP, mouth.TIPS, mouth.FLATTER))


@triton.jit
def open_mask(outlines, boxes, mask, count, high, wide, BLOCK: tl.constexpr = 256):
    """Write how much of each pixel lies between the lips, in [0, 1].

    Args:
        outlines: float32 (pictures, count, 2): the lips' inner edge, in the box's pixels, of
            which the first has its centre at 0.
        boxes: int32 (pictures, 4): left, top, width and height of what is painted.
        mask: float32 (pictures, high, wide).
        count: Points of an outline.
        high: Rows of the mask, at least those of a box.
        wide: Columns of it.
        BLOCK: Pixels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    picture = tl.program_id(1).to(tl.int64)
    columns, rows = tl.load(boxes + picture * 4 + 2), tl.load(boxes + picture * 4 + 3)
    x, y = at % wide, at // wide
    here = (x < columns) & (y < rows)
    line = outlines + picture * count * 2
    total = tl.zeros((BLOCK,), tl.float32)
    if rows > 0:
        bx, by = tl.load(line + 2 * count - 2), tl.load(line + 2 * count - 1)
        for e in range(count):
            ax, ay = bx, by
            bx, by = tl.load(line + 2 * e), tl.load(line + 2 * e + 1)
            way = tl.where(by > ay, 1.0, -1.0)
            slope = (bx - ax) / tl.where(tl.abs(by - ay) > 1e-9, by - ay, 1.0)
            for s in tl.static_range(4):
                level = y + (s - 1.5) / 4
                crosses = (level >= tl.minimum(ay, by)) & (level < tl.maximum(ay, by))
                share = ax + (level - ay) * slope - x + 0.5
                share = tl.minimum(tl.maximum(share, 0.0), 1.0)
                total += tl.where(crosses, way * share / 4, 0.0)
    total = tl.minimum(tl.abs(total), 1.0)
    tl.store(mask + picture * high * wide + at, total, mask=here)


@triton.jit
def blur(
    source, target, numbers, boxes, high, wide, ACROSS: tl.constexpr, BLOCK: tl.constexpr = 256
):
    """Blur masks along one axis, as `cv2.GaussianBlur`: a little for what is seen, far for depth.

    Args:
        source: float32 (pictures, high, wide), or (pictures, 2, high, wide) if not `ACROSS`.
        target: float32 (pictures, 2, high, wide): what is seen, and the depth.
        numbers: See `NUMBERS`.
        boxes: As of `open_mask`.
        high: Rows of a mask.
        wide: Columns of it.
        ACROSS: Whether along rows, or else along columns.
        BLOCK: Pixels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    which, picture = tl.program_id(1), tl.program_id(2).to(tl.int64)
    columns, rows = tl.load(boxes + picture * 4 + 2), tl.load(boxes + picture * 4 + 3)
    sigma = tl.load(numbers + picture * _N + 3 + which)
    x, y = at % wide, at // wide
    here = (x < columns) & (y < rows)
    if ACROSS:
        come = source + picture * high * wide
    else:
        come = source + (picture * 2 + which) * high * wide
    total, weight = tl.zeros((BLOCK,), tl.float32), 0.0
    reach = tl.where(rows > 0, (3 * sigma + 0.5).to(tl.int32), -1)
    for tap in range(-reach, reach + 1):
        share = tl.exp(-0.5 * (tap / sigma) * (tap / sigma))
        if ACROSS:
            place = tl.abs(x + tap)
            place = tl.minimum(place, 2 * columns - 2 - place)
            place = y * wide + tl.minimum(tl.maximum(place, 0), columns - 1)
        else:
            place = tl.abs(y + tap)
            place = tl.minimum(place, 2 * rows - 2 - place)
            place = tl.minimum(tl.maximum(place, 0), rows - 1) * wide + x
        total += share * tl.load(come + place, mask=here, other=0.0)
        weight += share
    to = target + (picture * 2 + which) * high * wide + at
    tl.store(to, total / tl.maximum(weight, 1e-6), mask=here)


@triton.jit
def _tooth(image, columns, x, y, k):
    """Return a number of float32 (rows, columns, 4), bilinear."""
    ix, iy = x.to(tl.int32), y.to(tl.int32)
    fx, fy = x - ix, y - iy
    at = image + (iy * columns + ix) * 4 + k
    above = tl.load(at) * (1 - fx) + tl.load(at + 4) * fx
    at += columns * 4
    return above * (1 - fy) + (tl.load(at) * (1 - fx) + tl.load(at + 4) * fx) * fy


@triton.jit
def speak(
    addresses, sizes, numbers, posed, masks, boxes, out, height, width, high, wide,
    BLOCK: tl.constexpr = 256,
):  # fmt: skip
    """Paint what is seen between the lips; see `mouth.Painter`.

    Args:
        addresses: See `ADDRESSES`.
        sizes: See `SIZES`.
        numbers: See `NUMBERS`.
        posed: See `POSED`.
        masks: As `blur` wrote them.
        boxes: As of `open_mask`.
        out: As of `shade`.
        height: Of the pictures.
        width: Of the pictures.
        high: Rows of a mask.
        wide: Columns of it.
        BLOCK: Pixels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    picture = tl.program_id(1).to(tl.int64)
    box = boxes + picture * 4
    x0, y0, columns, rows = tl.load(box), tl.load(box + 1), tl.load(box + 2), tl.load(box + 3)
    column, row = at % wide, at // wide
    seen_at = masks + picture * 2 * high * wide
    here = (column < columns) & (row < rows)
    share = tl.load(seen_at + at, mask=here, other=0.0)
    here = here & (share > 0.004)
    teeth = tl.load(addresses + picture * _A + 4).to(tl.pointer_type(tl.float32))
    teeth_rows = tl.load(sizes + picture * _S + 2)
    teeth_columns = tl.load(sizes + picture * _S + 3)
    told = numbers + picture * _N
    texels = tl.load(told + 5)
    pose = posed + picture * _P
    right_x, right_y = tl.load(pose + 2), tl.load(pose + 3)
    jaw_x, jaw_y = tl.load(pose + 6), tl.load(pose + 7)
    tongue, rounded = tl.load(pose + 8), tl.load(pose + 9)
    fine = texels / _TEXELS
    seam, edge_row = _UPPER_ROWS * fine, _EDGE_ROW * fine
    tip_row = seam + _TIP_ROW * fine
    shadow = (0.035 / tl.sqrt(right_x * right_x + right_y * right_y)).to(tl.int32)

    dx = x0 + column + 0.5 - tl.load(pose)
    dy = y0 + row + 0.5 - tl.load(pose + 1)
    x = right_x * dx + right_y * dy
    y = tl.load(pose + 4) * dx + tl.load(pose + 5) * dy
    side = x - jaw_x
    tip = y - jaw_y - _TIPS + 0.7 * side * side
    depth = seen_at + high * wide
    open_here = tl.load(depth + at, mask=here, other=0.0)
    open_above = tl.load(depth + tl.maximum(row - shadow, 0) * wide + column, mask=here, other=0.0)
    sky = smooth(1.35 * open_here)
    under = smooth(1.5 * (0.35 * open_here + 0.65 * open_above))
    floor = smooth((tip + 0.24) / 0.26)
    mound = 1 - (side / 0.2) * (side / 0.2)
    rest = -0.11 * mound + 0.01
    top = rest + tongue * (tl.minimum(_OVERLAP - jaw_y - _TIPS, rest) - 0.03 - rest)
    body = smooth((tip - top) / 0.07) * smooth(mound * 2.2)
    groove = 1 - 0.12 * tl.exp(-(side / 0.02) * (side / 0.02)) * (1 - tongue)
    lit = (0.46 + 0.45 * tongue + 0.3 * smooth((tip - top) / 0.12)) * groove
    light = 0.42 + 0.58 * sky

    lower_x = side * texels * 1.02 + teeth_columns * 0.5 - 0.5
    lower_y = tip * texels + tip_row - 0.5
    lower = (lower_x > 0) & (lower_x < teeth_columns - 1) & (lower_y > seam + 1) & here
    lower_x = tl.where(lower, lower_x, 0.0)
    lower_y = tl.where(lower, tl.minimum(lower_y, teeth_rows - 2.0), 0.0)
    lower_a = _tooth(teeth, teeth_columns, lower_x, lower_y, 3) / 255
    lower_a = tl.where(lower, lower_a * (1 - tongue * smooth(mound * 2)), 0.0)
    lower_dim = 0.76 * (1 - 4.5 * side * side) * (0.55 + 0.45 * sky)
    lower_dim *= 1 - 0.5 * smooth(tip / 0.08)
    upper_x = x * texels + teeth_columns * 0.5 - 0.5
    upper_y = (y - _OVERLAP - _FLATTER * x * x) * texels + edge_row - 0.5
    upper = (upper_x > 0) & (upper_x < teeth_columns - 1) & (upper_y < seam - 2) & here
    upper_x = tl.where(upper, upper_x, 0.0)
    upper_y = tl.where(upper, tl.maximum(upper_y, 0.0), 0.0)
    upper_a = tl.where(upper, _tooth(teeth, teeth_columns, upper_x, upper_y, 3) / 255, 0.0)
    upper_dim = (1 - 6.5 * x * x) * (0.5 + 0.5 * under) * (1 - 0.6 * rounded)

    to = out + ((picture * height + y0 + row) * width + x0 + column) * 3
    for k in tl.static_range(3):
        deep = tl.load(told + 6 + k) * (0.62 + 0.75 * floor) * light
        flesh = tl.load(told + 9 + k) * lit * (light + 0.3 * tongue)
        colour = deep + body * (flesh - deep)
        tooth = _tooth(teeth, teeth_columns, lower_x, lower_y, k) * lower_dim
        colour += lower_a * (tooth - colour)
        tooth = _tooth(teeth, teeth_columns, upper_x, upper_y, k) * upper_dim
        colour += upper_a * (tooth - colour)
        value = tl.load(to + k, mask=here, other=0).to(tl.float32)
        value += share * (colour - value)
        value = tl.minimum(tl.maximum(value + 0.5, 0.0), 255.0)
        tl.store(to + k, value.to(tl.uint8), mask=here)
