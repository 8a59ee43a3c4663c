"""What kernels are told of portraits: each has a row in three tables, and one for each picture.

So portraits of any size, with textures of any size, go into one launch.
"""

from typing import Final

ADDRESSES: Final = (
    "texture", "plate", "texels", "triangles", "teeth",
    "skin0", "soft0", "ball0", "upper0", "lower0", "lash0",
    "skin1", "soft1", "ball1", "upper1", "lower1", "lash1",
)  # fmt: skip
"""Columns of the table of addresses, int64."""

SIZES: Final = (
    "rows", "columns", "teeth_rows", "teeth_columns",
    "top0", "left0", "rows0", "columns0", "top1", "left1", "rows1", "columns1",
)  # fmt: skip
"""Columns of the table of sizes, int32."""

NUMBERS: Final = (
    "margin", "scale_x", "scale_y", "soft", "deep", "texels",
    "flesh0", "flesh1", "flesh2", "tongue0", "tongue1", "tongue2",
    *(f"{name}{eye}" for eye in (0, 1) for name in (
        "frame_a", "frame_b", "frame_c", "frame_d", "frame_e", "frame_f",
        "width", "room", "iris_u", "iris_v", "radius")),
)  # fmt: skip
"""Columns of the table of numbers, float32."""

POSED: Final = ("base_x", "base_y", "right_x", "right_y", "down_x", "down_y",
                "jaw_x", "jaw_y", "tongue", "rounded")  # fmt: skip
"""What is told of a mouth in this picture, float32: where its middle is, the picture's x and y as
its x and y (rows of a matrix), how far the jaw has gone, and the tongue and lips."""

KIND: Final = "picture"
"""What the executor calls a job of the painter's."""

BLOCK: Final = 256
"""Pixels of a program, of the kernels that take so many."""
