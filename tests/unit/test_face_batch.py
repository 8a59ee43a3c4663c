"""The mesh face of many sessions on a GPU: the same places and pictures as a core's."""

import os
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")

from landmarks import measured  # noqa: E402
from realtime_avatar.engines.executor import Cost, Executor  # noqa: E402
from realtime_avatar.engines.registry import Context  # noqa: E402
from realtime_avatar.errors import ConfigError  # noqa: E402
from realtime_avatar.face.batch.engine import BatchedFace, PhotoGpu  # noqa: E402
from realtime_avatar.face.batch.geometry import Geometry, told  # noqa: E402
from realtime_avatar.face.batch.portrait import Picture, Portrait  # noqa: E402
from realtime_avatar.face.ditto.painter import nv12  # noqa: E402
from realtime_avatar.face.motion import SpeechMotion  # noqa: E402
from realtime_avatar.face.mouth import _round  # noqa: E402
from realtime_avatar.face.photo import PhotoFace  # noqa: E402
from realtime_avatar.face.portrait import default_portrait, read_portrait  # noqa: E402
from realtime_avatar.face.rig import OPEN as USUAL  # noqa: E402
from realtime_avatar.face.rig import PhotoRig, Renderer, make  # noqa: E402
from realtime_avatar.media import Audio  # noqa: E402
from realtime_avatar.media.motion import ARKIT, INDEX  # noqa: E402
from realtime_avatar.models.store import ModelStore  # noqa: E402
from streams import in_chunks, stream  # noqa: E402

CPU = torch.device("cpu")
Floats = NDArray[np.float32]


def rig(side: int, *, plate: bool = False) -> PhotoRig:
    picture = read_portrait(default_portrait())
    fine = np.asarray(cv2.resize(picture, (2 * side,) * 2, interpolation=cv2.INTER_AREA))
    points = measured(side)
    if not plate:
        return make(fine.astype(np.uint8), points, side, side)
    alpha = np.full(fine.shape[:2], 255, np.uint8)
    alpha[:side] = 100  # her head is seen through
    cut = np.dstack([fine * (alpha[..., None] / 255), alpha]).astype(np.uint8)
    return make(cut, points, side, side, plate=np.full((side, side, 3), (0, 90, 200), np.uint8))


def face(pose: Sequence[float] = (0,) * 6, **weights: float) -> tuple[Floats, Floats]:
    row = np.zeros(len(ARKIT), np.float32)
    for name, weight in weights.items():
        row[INDEX[name]] = weight
    return row, np.array(pose, np.float32)


REST = face()
OPEN = face((0.12, -0.05, 0.04, 0.02, 0.01, 0), jawOpen=0.5, mouthFunnel=0.3, tongueOut=0.2,
            eyeBlinkLeft=0.7, eyeBlinkRight=0.4)  # fmt: skip
SMILE = face((-0.15, 0.1, 0, 0, 0, 0.05), jawOpen=0.2, mouthSmileLeft=0.8, mouthSmileRight=0.8,
             eyeLookInLeft=0.5, eyeLookOutRight=0.5)  # fmt: skip
ROUND = face(mouthPucker=0.8, jawOpen=0.15, mouthClose=0.05)


# Where things are


def test_meshes_are_where_the_renderer_has_them_though_they_are_placed_together():
    wide = np.sqrt(USUAL)  # a jaw that has to open further to be seen
    rigs = [rig(128), rig(128, plate=True), replace(rig(128), opens=wide), rig(128)]
    faces = [REST, OPEN, SMILE, ROUND]
    portraits = [Portrait(one, CPU) for one in rigs]
    rows = told(portraits, *(np.stack(part) for part in zip(*faces, strict=True)))
    points, outlines, boxes, posed = Geometry(CPU).place(
        portraits, torch.from_numpy(rows), 128, 128, 128
    )
    for at, (one, shown) in enumerate(zip(rigs, faces, strict=True)):
        wanted = Renderer(one).place(*shown)
        assert np.abs(points[at].numpy() - wanted).max() < 0.01
        left, top, wide, high = boxes[at].tolist()
        if shown is REST:
            assert wide == high == 0  # her lips are closed
            continue
        edge = _round(wanted[one.mouth.rim])
        corner = np.array([left + 0.5, top + 0.5])
        assert np.abs(outlines[at].numpy() + corner - edge).max() < 0.01
        assert left < edge[:, 0].min() < edge[:, 0].max() < left + wide
        assert top < edge[:, 1].min() < edge[:, 1].max() < top + high
    assert posed[1, 7] > posed[2, 7] > 0  # the wider the mouth, the farther the jaw has gone
    assert posed[1, 8] == pytest.approx(0.2)


# What is seen


@pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed (comes with PyTorch for CUDA)"
)
@pytest.mark.parametrize("plate", [False, True])
def test_pictures_are_those_of_a_core(plate: bool):
    cuda = torch.cuda.is_available()
    if not cuda:
        os.environ["TRITON_INTERPRET"] = "1"  # before the kernels are imported
    from realtime_avatar.face.batch.painter import Painter

    painter = Painter(torch.device("cuda:0" if cuda else "cpu"))
    rigs = [rig(64, plate=plate), rig(64 if not cuda else 128, plate=plate)]
    faces = [OPEN, SMILE]
    jobs = [Picture(painter.portrait(r), *f) for r, f in zip(rigs, faces, strict=True)]
    made = [painter.painted([job])[0].cpu().numpy() for job in jobs]
    for planes, found in zip(painter.paint(jobs), made, strict=True):
        wanted = nv12(torch.from_numpy(found)).numpy()
        assert np.abs(planes.astype(int) - wanted).max() <= 1
    for one, shown, found in zip(rigs, faces, made, strict=True):
        off = np.abs(found.astype(np.float32) - Renderer(one).render(*shown))
        # So small a picture has much of the lips' edge, which OpenCV draws a little wider.
        assert off.mean() < 0.5
        assert 10 * np.log10(255**2 / np.square(off).mean()) > 35


# Sessions


class Core:
    """A device on which a core paints."""

    def __init__(self) -> None:
        self.renderers: dict[int, Renderer] = {}
        self.batches: list[int] = []

    async def run(self, kind: str, jobs: Sequence[Picture]) -> list[NDArray[np.uint8]]:
        self.batches.append(len(jobs))
        return [self.renderers[id(job.portrait)].render(job.weights, job.pose) for job in jobs]


@pytest.fixture(scope="module")
def small() -> PhotoRig:
    return rig(64)


def session(core: Core, seat: Any, one: PhotoRig, due_in: float) -> BatchedFace:
    portrait = Portrait(one, CPU)
    core.renderers[id(portrait)] = Renderer(one)
    face = BatchedFace(Renderer(one), SpeechMotion(25, seed=1), seat, portrait)
    face._frame_s = due_in
    return face


def speech(seconds: float = 1.0) -> Audio:
    noise = np.random.default_rng(0).normal(0, 3000, int(16_000 * seconds))
    return Audio(noise.astype(np.int16), 16_000, 0)


async def shots(made: PhotoFace) -> list[NDArray[np.uint8]]:
    async with aclosing(made.animate(stream(in_chunks(speech(), 3200)))) as shown:
        return [shot.frame async for shot in shown if shot.frame is not None]


@pytest.mark.anyio
async def test_a_session_shows_what_one_without_a_gpu_shows(small: PhotoRig):
    core = Core()
    executor: Executor[Any, Any] = Executor(
        cast("Any", core), {"picture": Cost(0.002, 0.0001, 8)}, {"picture": 25.0}
    )
    with executor.seat() as seat:
        found = await shots(session(core, seat, small, due_in=60))
    wanted = await shots(PhotoFace(Renderer(small), SpeechMotion(25, seed=1)))
    assert len(found) == len(wanted) == 25
    assert all((a == b).all() for a, b in zip(found, wanted, strict=True))
    assert len(core.batches) == 25


@pytest.mark.anyio
async def test_where_the_gpu_is_late_again_and_again_a_core_goes_on(small: PhotoRig):
    core = Core()
    executor: Executor[Any, Any] = Executor(
        cast("Any", core), {"picture": Cost(0.002, 0.0001, 8)}, {"picture": 25.0}
    )
    with executor.seat() as seat:
        found = await shots(session(core, seat, small, due_in=-1))
    assert len(found) == 25
    assert len(core.batches) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_choose(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"photo-gpu.*(Triton|choose the face 'photo')"):
        PhotoGpu(Context(ModelStore(tmp_path)))


def test_an_unknown_option_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="speed"):
        PhotoGpu(Context(ModelStore(tmp_path), options={"speed": 1}))
