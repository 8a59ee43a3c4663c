"""Pictures of the mesh face in batches, on the GPU from weights to pixels."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime_avatar.face.batch import lips, planes, skin
from realtime_avatar.face.batch.geometry import Geometry, told
from realtime_avatar.face.batch.portrait import Picture, Portrait
from realtime_avatar.face.batch.tables import BLOCK
from realtime_avatar.media.picture import Frame


class Painter:
    """Paints meshes.

    Args:
        device: A CUDA device; the CPU where Triton interprets (TRITON_INTERPRET=1), for tests.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._geometry = Geometry(device)

    def portrait(self, rig: Any, background: NDArray[np.uint8] | None = None) -> Portrait:
        """Return a portrait for one session; see `Portrait`."""
        return Portrait(rig, self.device, background)

    @torch.inference_mode()
    def paint(self, jobs: Sequence[Picture]) -> list[Frame]:
        """Return the pictures of some jobs, in NV12."""

        def shape(number: int) -> tuple[int, int]:
            portrait = jobs[number].portrait
            return portrait.height, portrait.width

        found: list[tuple[list[int], Tensor]] = []
        for _, group in groupby(sorted(range(len(jobs)), key=shape), shape):
            numbers = list(group)
            found.append((numbers, nv12(self.painted([jobs[number] for number in numbers]))))
        if self.device.type == "cuda":
            # Pinned memory: all copies go at once, and one wait is for all.
            found = [
                (numbers, torch.empty_like(made, device="cpu", pin_memory=True)
                 .copy_(made, non_blocking=True)) for numbers, made in found
            ]  # fmt: skip
            torch.cuda.current_stream().synchronize()
        pictures: dict[int, Frame] = {}
        for numbers, made in found:
            pictures |= zip(numbers, made.numpy(), strict=True)
        return [pictures[number] for number in range(len(jobs))]

    @torch.inference_mode()
    def painted(self, jobs: Sequence[Picture]) -> Tensor:
        """Return the pictures of jobs of one size, uint8 RGB (pictures, height, width, 3)."""
        portraits = [job.portrait for job in jobs]
        height, width = portraits[0].height, portraits[0].width
        room = max(portrait.room for portrait in portraits)
        addresses, sizes, numbers = (
            self._sent(np.stack([getattr(portrait, name) for portrait in portraits]))
            for name in ("addresses", "sizes", "numbers")
        )
        weights, poses = (
            np.stack([getattr(job, name) for job in jobs]) for name in ("weights", "pose")
        )
        said = self._sent(told(portraits, weights, poses))
        points, outlines, boxes, posed = self._geometry.place(portraits, said, height, width, room)
        count, vertices = len(jobs), points.shape[1]
        states = said[:, -8:].contiguous()
        covered = torch.zeros(count, height, width, device=self.device, dtype=torch.int32)
        out = torch.empty(count, height, width, 3, device=self.device, dtype=torch.uint8)
        mask = torch.empty(count, room, room, device=self.device)
        across = torch.empty(count, 2, room, room, device=self.device)
        masks = torch.empty_like(across)
        region = max(portrait.region for portrait in portraits)
        triangles = portraits[0].triangles  # all meshes have the same
        rows, size, square = (addresses, sizes, numbers), (height, width), (room, room)
        edge = outlines.shape[1]
        every, small = _programs(height * width), _programs(room * room)
        for kernel, programs, *arguments in (
            (skin.look, (_programs(region), 2, count), *rows, states),
            (skin.cover, (triangles, count), points, addresses, covered, vertices, *size),
            (skin.shade, (every, count), points, *rows, covered, out, vertices, *size),
            (lips.open_mask, (small, count), outlines, boxes, mask, edge, *square),
            (lips.blur, (small, 2, count), mask, across, numbers, boxes, *square, True),
            (lips.blur, (small, 2, count), across, masks, numbers, boxes, *square, False),
            (lips.speak, (small, count), *rows, posed, masks, boxes, out, *size, *square),
        ):  # fmt: skip
            launched: Any = kernel
            launched[programs](*arguments)
        return out

    def _sent(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def nv12(pictures: Tensor) -> Tensor:
    """Return RGB pictures in NV12; see `planes.nv12`."""
    count, height, width, _ = pictures.shape
    made = pictures.new_empty(count, height // 2 * 3, width)
    launched: Any = planes.nv12
    launched[_programs(height * width // 4), count](pictures, made, height, width)
    return made


def _programs(pixels: int) -> int:
    return -(-pixels // BLOCK)
