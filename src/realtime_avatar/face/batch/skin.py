"""What `render` and `eyes` do to pixels, for many portraits at once, as Triton kernels."""

# ruff: noqa: N803
# pyright: basic
# pyright: reportMissingImports=false, reportUndefinedVariable=false

from typing import Final

import triton
import triton.language as tl

from realtime_avatar.face import eyes
from realtime_avatar.face.batch.tables import ADDRESSES, NUMBERS, SIZES

_A: Final = tl.constexpr(len(ADDRESSES))
_S: Final = tl.constexpr(len(SIZES))
_N: Final = tl.constexpr(len(NUMBERS))
_MEET, _LASH_OUT, _LASH_IN = (tl.constexpr(x) for x in (eyes.MEET, eyes.LASH_OUT, eyes.LASH_IN))


@triton.jit
def smooth(t):
    """Return a smooth step from 0 at 0 to 1 at 1."""
    t = tl.minimum(tl.maximum(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


@triton.jit
def _triangle(place, a, b, c):
    """Return where a corner is, and how far from it the two others."""
    ax, ay = tl.load(place + 2 * a), tl.load(place + 2 * a + 1)
    bx, by = tl.load(place + 2 * b) - ax, tl.load(place + 2 * b + 1) - ay
    cx, cy = tl.load(place + 2 * c) - ax, tl.load(place + 2 * c + 1) - ay
    return ax, ay, bx, by, cx, cy


@triton.jit
def cover(points, addresses, covered, vertices, height, width, SIDE: tl.constexpr = 16):
    """Write for each pixel the last triangle over it, counted from 1.

    Args:
        points: float32 (pictures, vertices, 2).
        addresses: int64, see `ADDRESSES`.
        covered: int32 (pictures, height, width), of nothing.
        vertices: How many.
        height: Of the pictures.
        width: Of the pictures.
        SIDE: Of the squares that are looked at at once.
    """
    triangle, picture = tl.program_id(0), tl.program_id(1).to(tl.int64)
    corners = tl.load(addresses + picture * _A + 3).to(tl.pointer_type(tl.int32)) + 3 * triangle
    place = points + picture * vertices * 2
    a, b, c = tl.load(corners), tl.load(corners + 1), tl.load(corners + 2)
    ax, ay, bx, by, cx, cy = _triangle(place, a, b, c)
    area = bx * cy - by * cx
    if area > 1e-6:  # otherwise it faces away
        left = tl.ceil(ax + tl.minimum(tl.minimum(bx, cx), 0.0) - 0.5).to(tl.int32)
        right = tl.floor(ax + tl.maximum(tl.maximum(bx, cx), 0.0) + 0.5).to(tl.int32)
        top = tl.ceil(ay + tl.minimum(tl.minimum(by, cy), 0.0) - 0.5).to(tl.int32)
        bottom = tl.floor(ay + tl.maximum(tl.maximum(by, cy), 0.0) + 0.5).to(tl.int32)
        left, top = tl.maximum(left, 0), tl.maximum(top, 0)
        right, bottom = tl.minimum(right, width), tl.minimum(bottom, height)
        for y0 in range(top, bottom, SIDE):
            for x0 in range(left, right, SIDE):
                y = y0 + tl.arange(0, SIDE)[:, None]
                x = x0 + tl.arange(0, SIDE)[None, :]
                fx, fy = x + 0.5 - ax, y + 0.5 - ay
                of_b, of_c = fx * cy - fy * cx, bx * fy - by * fx
                inside = (of_b >= 0) & (of_c >= 0) & (of_b + of_c <= area)
                inside = inside & (x < right) & (y < bottom)
                at = covered + (picture * height + y) * width + x
                tl.atomic_max(at, triangle + 1, mask=inside, sem="relaxed")


@triton.jit
def shade(
    points, addresses, sizes, numbers, covered, out, vertices, height, width,
    BLOCK: tl.constexpr = 256,
):  # fmt: skip
    """Write the pictures: each pixel from where its triangle is in the texture, over the plate.

    Args:
        points: As of `cover`.
        addresses: See `ADDRESSES`; textures are RGBA.
        sizes: See `SIZES`.
        numbers: See `NUMBERS`.
        covered: As `cover` wrote it.
        out: uint8 (pictures, height, width, 3).
        vertices: How many.
        height: Of the pictures.
        width: Of the pictures.
        BLOCK: Pixels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    picture = tl.program_id(1).to(tl.int64)
    here = at < height * width
    x, y = at % width + 0.5, at // width + 0.5
    row = addresses + picture * _A
    texture = tl.load(row).to(tl.pointer_type(tl.uint32))
    plate = tl.load(row + 1)
    texels = tl.load(row + 2).to(tl.pointer_type(tl.float32))
    triangles = tl.load(row + 3).to(tl.pointer_type(tl.int32))
    rows, columns = tl.load(sizes + picture * _S), tl.load(sizes + picture * _S + 1)
    told = numbers + picture * _N
    margin, scale_x, scale_y = tl.load(told), tl.load(told + 1), tl.load(told + 2)

    which = tl.load(covered + picture * height * width + at, mask=here, other=0)
    free = which == 0  # beyond the mesh each pixel stays what it is
    corners = triangles + 3 * tl.maximum(which - 1, 0)
    place = points + picture * vertices * 2
    a, b, c = tl.load(corners), tl.load(corners + 1), tl.load(corners + 2)
    ax, ay, bx, by, cx, cy = _triangle(place, a, b, c)
    area = bx * cy - by * cx
    area = tl.where(tl.abs(area) > 1e-6, area, 1.0)
    fx, fy = x - ax, y - ay
    of_b, of_c = (fx * cy - fy * cx) / area, (bx * fy - by * fx) / area
    ua, va = tl.load(texels + 2 * a), tl.load(texels + 2 * a + 1)
    u = ua + of_b * (tl.load(texels + 2 * b) - ua) + of_c * (tl.load(texels + 2 * c) - ua)
    v = va + of_b * (tl.load(texels + 2 * b + 1) - va) + of_c * (tl.load(texels + 2 * c + 1) - va)
    u = tl.where(free, (x + margin) * scale_x, u) - 0.5
    v = tl.where(free, (y + margin) * scale_y, v) - 0.5
    u = tl.minimum(tl.maximum(u, 0.0), columns - 1.0)
    v = tl.minimum(tl.maximum(v, 0.0), rows - 1.0)
    iu, iv = u.to(tl.int32), v.to(tl.int32)
    fu, fv = u - iu, v - iv
    iu1, iv1 = tl.minimum(iu + 1, columns - 1), tl.minimum(iv + 1, rows - 1)
    c00 = tl.load(texture + iv * columns + iu, mask=here, other=0)
    c01 = tl.load(texture + iv * columns + iu1, mask=here, other=0)
    c10 = tl.load(texture + iv1 * columns + iu, mask=here, other=0)
    c11 = tl.load(texture + iv1 * columns + iu1, mask=here, other=0)
    alpha = _mixed(c00, c01, c10, c11, fu, fv, 24)
    to = out + (picture * height * width + at) * 3
    for k in tl.static_range(3):
        value = _mixed(c00, c01, c10, c11, fu, fv, 8 * k)
        if plate != 0:
            behind = plate.to(tl.pointer_type(tl.uint8)) + at * 3 + k
            value += tl.load(behind, mask=here, other=0).to(tl.float32) * (255 - alpha) / 255
        tl.store(to + k, tl.minimum(value + 0.5, 255.0).to(tl.uint8), mask=here)


@triton.jit
def _mixed(c00, c01, c10, c11, fu, fv, shift):
    """Return a colour of four texels, bilinear."""
    v00, v01 = (c00 >> shift) & 255, (c01 >> shift) & 255
    v10, v11 = (c10 >> shift) & 255, (c11 >> shift) & 255
    above = v00.to(tl.float32) * (1 - fu) + v01.to(tl.float32) * fu
    below = v10.to(tl.float32) * (1 - fu) + v11.to(tl.float32) * fu
    return above * (1 - fv) + below * fv


@triton.jit
def _sampled(image, rows, columns, x, y, k):
    """Return a colour of uint8 (rows, columns, 3), bilinear."""
    x = tl.minimum(tl.maximum(x - 0.5, 0.0), columns - 1.001)
    y = tl.minimum(tl.maximum(y - 0.5, 0.0), rows - 1.001)
    ix, iy = x.to(tl.int32), y.to(tl.int32)
    fx, fy = x - ix, y - iy
    at = image + (iy * columns + ix) * 3 + k
    above = tl.load(at).to(tl.float32) * (1 - fx) + tl.load(at + 3).to(tl.float32) * fx
    at += columns * 3
    below = tl.load(at).to(tl.float32) * (1 - fx) + tl.load(at + 3).to(tl.float32) * fx
    return above * (1 - fy) + below * fy


@triton.jit
def look(addresses, sizes, numbers, states, BLOCK: tl.constexpr = 256):
    """Repaint the eyes in the textures; see `eyes.paint`.

    Args:
        addresses: See `ADDRESSES`.
        sizes: See `SIZES`.
        numbers: See `NUMBERS`.
        states: float32 (pictures, 2, 4), see `eyes.pose`.
        BLOCK: Texels of a program.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    eye, picture = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = addresses + picture * _A
    texture = tl.load(row).to(tl.pointer_type(tl.uint8))
    arrays = row + 5 + 6 * eye
    skin = tl.load(arrays).to(tl.pointer_type(tl.uint8))
    soft = tl.load(arrays + 1).to(tl.pointer_type(tl.uint8))
    ball = tl.load(arrays + 2).to(tl.pointer_type(tl.uint8))
    upper = tl.load(arrays + 3).to(tl.pointer_type(tl.float32))
    lower = tl.load(arrays + 4).to(tl.pointer_type(tl.float32))
    lash = tl.load(arrays + 5).to(tl.pointer_type(tl.float32))
    told = sizes + picture * _S
    wide = tl.load(told + 1)
    told += 4 + 4 * eye
    top, left = tl.load(told), tl.load(told + 1)
    rows, columns = tl.load(told + 2), tl.load(told + 3)
    told = numbers + picture * _N + 12 + 11 * eye
    f0, f1, f2 = tl.load(told), tl.load(told + 1), tl.load(told + 2)
    f3, f4, f5 = tl.load(told + 3), tl.load(told + 4), tl.load(told + 5)
    width, room = tl.load(told + 6), tl.load(told + 7)
    iris_u, radius = tl.load(told + 8), tl.load(told + 10)
    state = states + picture * 8 + eye * 4
    shut, raised = tl.load(state), tl.load(state + 1)
    right, down = tl.load(state + 2) * width, tl.load(state + 3) * width

    here = at < rows * columns
    at = tl.where(here, at, 0)
    x, y = left + at % columns + 0.5, top + at // columns + 0.5
    u, v = f0 * x + f1 * y + f2, f3 * x + f4 * y + f5
    here = here & (u > 0) & (u < width)
    along = tl.minimum(tl.maximum((u / width + 0.5) * 64, 0.0), 127.999)
    i = along.to(tl.int32)
    f = along - i
    upper_rest = tl.load(upper + i) * (1 - f) + tl.load(upper + i + 1) * f
    lower_rest = tl.load(lower + i) * (1 - f) + tl.load(lower + i + 1) * f
    meet = lower_rest + (upper_rest - lower_rest) * _MEET
    drop = shut * (meet - upper_rest)
    rise = raised * (meet - lower_rest)
    beyond, below = upper_rest + drop - v, v - lower_rest - rise
    out, inner = _LASH_OUT * width, _LASH_IN * width
    stretch = tl.maximum(0.34 * width, 2.4 * tl.abs(drop))
    stretch = tl.maximum(tl.minimum(stretch, room), 1.55 * tl.abs(drop))
    stretch_under = tl.maximum(0.3 * width, 2.4 * tl.abs(rise))
    still = (beyond > out + stretch) | (below > out + stretch_under)

    lid = 1 - smooth(-beyond / inner)
    under = (1 - lid) * (1 - smooth(-below / (0.6 * inner)))
    globe = 1 - lid - under
    lid_dv = drop * (1 - smooth((beyond - out) / stretch))
    under_dv = rise * (1 - smooth((below - out) / stretch_under))
    plain = 0.75 * smooth(shut * 1.3) * smooth((beyond - out) / (0.05 * width))
    plain *= 1 - smooth((beyond - 0.5 * stretch) / (0.5 * stretch))
    plain *= smooth(6 * drop / width)
    off = u - iris_u - right
    slack = tl.where(off < 0, iris_u + right, width - iris_u - right) - 1.15 * radius
    slack = tl.maximum(slack, 1.0)
    turn = 1 - tl.minimum(tl.maximum((tl.abs(off) - 1.15 * radius) / slack, 0.0), 1.0)
    dark = 1 - 0.45 * tl.maximum(shut, 0.0) * (1 - smooth(-beyond / (0.3 * width)))
    edge = beyond / (0.028 * width)
    line = tl.exp(-edge * edge) * 0.75 * smooth(shut * 1.6)
    line *= smooth(u / (0.12 * width)) * smooth((width - u) / (0.08 * width))
    line = tl.where(edge * edge < 6.25, line, 0.0)  # nothing of an eye that is open
    most = tl.maximum(tl.abs(shut), tl.abs(raised))
    most = tl.maximum(most, 5 * tl.maximum(tl.abs(right), tl.abs(down)) / width)
    moved = smooth(12 * most)

    x, y = x - left, y - top
    to = texture + ((top + at // columns) * wide + left + at % columns) * 4
    for k in tl.static_range(3):
        own = tl.load(skin + at * 3 + k).to(tl.float32)
        upon = _sampled(skin, rows, columns, x - lid_dv * f3, y - lid_dv * f4, k)
        drawn = _sampled(soft, rows, columns, x - lid_dv * f3, y - lid_dv * f4, k)
        beneath = _sampled(skin, rows, columns, x - under_dv * f3, y - under_dv * f4, k)
        bx, by = x - turn * (right * f0 + down * f3), y - turn * (right * f1 + down * f4)
        white = _sampled(ball, rows, columns, bx, by, k)
        value = lid * (upon + plain * (drawn - upon)) + under * beneath + globe * dark * white
        root = tl.load(lash + i * 3 + k)
        value += tl.where(root < value, line * (root - value), 0.0)
        value = tl.where(still, own, own + moved * (value - own))
        value = tl.minimum(tl.maximum(value + 0.5, 0.0), 255.0)
        tl.store(to + k, value.to(tl.uint8), mask=here)
