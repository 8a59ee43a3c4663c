"""Pictures in batches: warp, decode and paste back, on the device from end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from realtime_avatar.face.ditto import tensorrt
from realtime_avatar.face.ditto.decoder import Decoder
from realtime_avatar.face.ditto.fast_decoder import FastDecoder
from realtime_avatar.face.ditto.fast_warp import FastWarp
from realtime_avatar.face.ditto.graphs import Recorded, compiled
from realtime_avatar.face.ditto.portrait import Cut
from realtime_avatar.face.ditto.warp import WarpNetwork
from realtime_avatar.media.picture import Frame

BATCHES: Final = (1, 2, 4, 8)
"""Sizes that are compiled and recorded; what is between is filled up."""

KINDS: Final = ("picture", "small", "mouth")
"""What may be painted: all; all, half as sharp; the mouth alone, half as sharp and from half as
fine a volume, in a portrait that is still. The decoder's norms are of the whole picture, so that
painting a part of it alone would give it other colours."""

_SOFT: Final = 0.05  # of the square's side, in which it fades into the portrait

Floats = NDArray[np.float32]


class Backdrop:
    """A portrait on the device, ready to have its face pasted in.

    Args:
        cut: The portrait.
        slices: What it looks like; see `DittoRig`.
        device: Where.
        kind: In which precision.
    """

    def __init__(
        self, cut: Cut, slices: NDArray[np.float16], device: torch.device, kind: torch.dtype
    ) -> None:
        self.slices = torch.from_numpy(slices).to(device, kind)
        whole = torch.from_numpy(np.ascontiguousarray(cut.frame)).to(device)
        self._base = nv12(whole)
        grid, mask, rows, columns = _places(cut)
        self._luma, low = (rows, columns), len(whole)
        self._chroma = (slice(low + rows.start // 2, low + rows.stop // 2), columns)
        self._grid = torch.from_numpy(grid[None]).to(device)
        base = whole[rows, columns].float()
        # How much of each pixel is pasted, and what is under it.
        self._layers: dict[bool, tuple[Tensor, Tensor]] = {}
        for mouth, share in ((False, mask), (True, mask * _oval(grid, cut.mouth))):
            seen = torch.from_numpy(share[..., None]).to(device)
            self._layers[mouth] = (255 * seen, base * (1 - seen))

    def paste(self, face: Tensor, *, mouth: bool = False) -> Tensor:
        """Return the picture in NV12; see `Frame`.

        Args:
            face: (3, side, side) in [0, 1], the square.
            mouth: Whether nothing but the mouth of it.
        """
        share, under = self._layers[mouth]
        placed = F.grid_sample(
            face[None].float(), self._grid, padding_mode="border", align_corners=False
        )
        seen = (placed[0].movedim(0, -1) * share + under).clamp(0, 255)
        picture = self._base.clone()
        picture[self._luma], picture[self._chroma] = _planes(seen)
        return picture


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A job for the painter.

    Attributes:
        backdrop: Whose.
        source: float32 (21, 3), where the portrait's keypoints are.
        driving: float32 (21, 3), where they should be.
    """

    backdrop: Backdrop
    source: Floats
    driving: Floats


class Painter:
    """Warp and decoder on one device: on a GPU rewritten, in float16, compiled and recorded.

    Args:
        warp: Its weights are taken.
        decoder: So are its.
        device: Where.
    """

    def __init__(self, warp: WarpNetwork, decoder: Decoder, device: torch.device) -> None:
        self.device = device
        self.kind = torch.float16 if device.type == "cuda" else torch.float32
        self._model = _Both(warp, decoder)
        if device.type == "cuda":
            self._model = _Fast(warp, decoder)
            for weight in self._model.parameters():
                if weight.ndim == 4:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self._model.to(device, self.kind)
        self._recorded: dict[tuple[str, int], Recorded[Tensor]] = {}

    def prepare(
        self, slices: Tensor, batches: Sequence[int] = BATCHES, kinds: Sequence[str] = KINDS,
        engines: Path | None = None,
    ) -> None:  # fmt: skip
        """Compile and record. On a GPU the first time takes minutes, later ones seconds.

        Args:
            slices: An example, (depth, height, width, channels).
            batches: Sizes.
            kinds: Which of `KINDS`.
            engines: Folder of TensorRT's, which paint a single picture if they are faster.
        """
        if self.device.type != "cuda":
            return
        points = torch.zeros(21, 3, device=self.device)
        for kind in kinds:
            for batch in batches:
                work = compiled(getattr(self._model, kind))
                examples = (part.expand(batch, *part.shape) for part in (slices, points, points))
                self._recorded[kind, batch] = Recorded(work, *examples)
        built = tensorrt.networks(engines, self.device) if engines else None
        if built and (served := self._recorded.get(("picture", 1))):
            source = 0.2 * torch.randn(1, 21, 3, device=self.device)
            single = slices[None], source, source + 0.05
            model = _Both(*built)
            if tensorrt.better(model.picture, served, single):
                self._recorded["picture", 1] = Recorded(model.picture, *single)

    @torch.inference_mode()
    def paint(self, kind: str, jobs: Sequence[Picture]) -> list[Frame]:
        """Return the pictures of some jobs, in NV12. `kind`: one of `KINDS`."""
        faces = self.faces(
            kind,
            torch.stack([job.backdrop.slices for job in jobs]),
            torch.from_numpy(np.stack([job.source for job in jobs])).to(self.device),
            torch.from_numpy(np.stack([job.driving for job in jobs])).to(self.device),
        )
        pictures = [
            job.backdrop.paste(face, mouth=kind == "mouth")
            for job, face in zip(jobs, faces[: len(jobs)], strict=True)
        ]
        if self.device.type != "cuda":
            return [picture.numpy() for picture in pictures]
        # Pinned memory: all copies go at once, and one wait is for all.
        fetched = [
            torch.empty(picture.shape, dtype=torch.uint8, pin_memory=True).copy_(
                picture, non_blocking=True
            )
            for picture in pictures
        ]
        torch.cuda.current_stream().synchronize()
        return [picture.numpy() for picture in fetched]

    @torch.inference_mode()
    def faces(self, kind: str, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        """Return squares, (batch or more, 3, side, side), until the next call."""
        sizes = [size for (name, size) in self._recorded if name == kind and size >= len(slices)]
        if not sizes:
            return getattr(self._model, kind)(slices, source, driving)
        spare = min(sizes) - len(slices)
        filled = (F.pad(x, (0, 0) * (x.ndim - 1) + (0, spare)) for x in (slices, source, driving))
        return self._recorded[kind, min(sizes)](*filled)


class _Both(nn.Module):
    """Warp and decoder as published, or as TensorRT has built them."""

    def __init__(self, warp: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self._warp, self._decoder = warp, decoder

    def picture(self, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        return self._decoder(self.warp(slices, source, driving))

    def small(self, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        """Return pictures of half the side, for a quarter of the decoder's time."""
        return self._decoder(F.avg_pool2d(self.warp(slices, source, driving), 2))

    def mouth(self, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        """Return pictures of half the side, for a quarter of all time."""
        coarse = slices.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))
        return self._decoder(self.warp(coarse, source, driving))

    def warp(self, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        return self._warp(slices.permute(0, 4, 1, 2, 3), source, driving)


class _Fast(_Both):
    """Warp and decoder rewritten for the GPU."""

    def __init__(self, warp: WarpNetwork, decoder: Decoder) -> None:
        super().__init__(warp, decoder)
        self._warp, self._decoder = FastWarp(warp), FastDecoder(decoder)

    def warp(self, slices: Tensor, source: Tensor, driving: Tensor) -> Tensor:
        return self._warp(slices, source, driving)


def nv12(picture: Tensor) -> Tensor:
    """Return a picture in NV12, see `Frame`; chroma is the mean of four pixels.

    Args:
        picture: uint8 RGB, (height, width, 3), both sides even.
    """
    return torch.cat(_planes(picture.float()))


def _planes(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Return luma, (height, width), and chroma, (height / 2, width), of RGB from 0 to 255."""
    yuv = rgb @ _weights(rgb.device).T
    high, wide = rgb.shape[:2]
    chroma = yuv[..., 1:].unflatten(1, (wide // 2, 2)).unflatten(0, (high // 2, 2)).mean((1, 3))
    # Halves are rounded up by the cut; nothing is beyond 16 to 240.
    return (yuv[..., 0] + 16.5).to(torch.uint8), (chroma.flatten(1) + 128.5).to(torch.uint8)


@cache
def _weights(device: torch.device) -> Tensor:
    """Return what makes luma, blue and red of RGB."""
    parts = [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
    return torch.tensor(parts, device=device) / 255


def _oval(grid: Floats, mouth: tuple[float, float, float, float]) -> Floats:
    """Return 1 in the middle of a mouth, falling to 0 where its reach ends.

    Args:
        grid: (height, width, 2), places in the square, in [-1, 1].
        mouth: See `Cut.mouth`.
    """
    x, y, wide, high = mouth
    away = ((grid + 1) * 256 - (x, y)) / (wide, high)
    inside = ((1 - np.linalg.norm(away, axis=-1)) / 0.4).clip(0, 1)
    return (inside * inside * (3 - 2 * inside)).astype(np.float32)


def _places(cut: Cut) -> tuple[Floats, Floats, slice, slice]:
    """Return where the frame's pixels are in the square, how much it covers them, and which.

    Rows and columns begin and end at even ones.
    """
    high, wide = cut.frame.shape[:2]
    corners = np.array([[-0.5, 511.5, 511.5, -0.5], [-0.5, -0.5, 511.5, 511.5]])
    around = cut.way[:, :2] @ corners + cut.way[:, 2:]
    x0, y0 = 2 * np.floor(around.min(1) / 2).astype(int).clip(0, (wide // 2 - 1, high // 2 - 1))
    x1, y1 = 2 * np.ceil(around.max(1) / 2).astype(int).clip(1, (wide // 2, high // 2))
    rows = slice(int(y0), max(int(y1), int(y0) + 2))
    columns = slice(int(x0), max(int(x1), int(x0) + 2))
    y, x = np.mgrid[rows, columns]
    inverse = np.linalg.inv(cut.way[:, :2])
    places = (np.stack([x, y], -1) - cut.way[:, 2]) @ inverse.T
    grid = (places + 0.5) / 256 - 1
    inside = ((1 - np.abs(grid)) / (2 * _SOFT)).clip(0, 1).prod(-1)
    smooth = inside * inside * (3 - 2 * inside)
    return grid.astype(np.float32), smooth.astype(np.float32), rows, columns
