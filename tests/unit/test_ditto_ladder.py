"""Steps down of the neural face, the mesh face that its motion moves, motion in pieces."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")

from landmarks import measured  # noqa: E402
from realtime_avatar.engines.executor import Cost, Executor  # noqa: E402
from realtime_avatar.face.ditto import pose  # noqa: E402
from realtime_avatar.face.ditto.arkit import mesh_motion  # noqa: E402
from realtime_avatar.face.ditto.denoiser import MotionDenoiser  # noqa: E402
from realtime_avatar.face.ditto.diffusion import Diffusion  # noqa: E402
from realtime_avatar.face.ditto.ladder import COLUMNS, Ladder  # noqa: E402
from realtime_avatar.face.ditto.painter import Backdrop, Picture  # noqa: E402
from realtime_avatar.face.ditto.portrait import Cut  # noqa: E402
from realtime_avatar.face.ditto.sampler import sample, schedule  # noqa: E402
from realtime_avatar.face.ditto.windows import Window  # noqa: E402
from realtime_avatar.face.portrait import default_portrait, read_portrait  # noqa: E402
from realtime_avatar.face.rig import PhotoRig, make  # noqa: E402
from realtime_avatar.media.motion import ARKIT, INDEX  # noqa: E402
from realtime_avatar.media.picture import rgb  # noqa: E402

SIDE = 128
Floats = NDArray[np.float32]


def moved(**numbers: float) -> Floats:
    """Return motion in which some numbers of the expression differ, as `k19y=0.1`."""
    row = np.zeros((1, 265), np.float32)
    for name, amount in numbers.items():
        keypoint, axis = int(name[1:-1]), "xyz".index(name[-1])
        row[0, pose.EXPRESSION.start + 3 * keypoint + axis] = amount
    return row


STILL = np.zeros(265, np.float32)


@pytest.mark.parametrize(
    ("numbers", "names", "strength"),
    [
        ({"k19y": 0.05, "k19z": 0.005, "k17y": -0.005}, ["jawOpen"], 0.5),
        ({"k14y": 0.015, "k3y": -0.0075, "k7y": -0.0075, "k17z": -0.0075}, ["mouthPucker"], 1),
        ({"k11y": 0.02, "k13y": -0.006, "k15y": 0.02, "k16y": -0.006},
         ["eyeBlinkLeft", "eyeBlinkRight"], 1),
        ({"k11x": 0.0105, "k15x": 0.015}, ["eyeLookOutLeft", "eyeLookInRight"], 1),
        ({}, [], 0),
    ],
)  # fmt: skip
def test_expressions_are_told_apart(numbers: dict[str, float], names: list[str], strength: float):
    weights = mesh_motion(moved(**numbers), STILL)[0, : len(ARKIT)]
    for name in names:
        assert weights[INDEX[name]] == pytest.approx(strength, abs=0.1)
    others = [INDEX[name] for name in ARKIT if name not in names]
    assert weights[others].max() < 0.15


def test_the_mouth_opens_as_far_as_the_keypoint_falls_and_no_farther():
    jaw = [
        mesh_motion(moved(k19y=0.1 * share, k19z=0.01 * share), STILL)[0, INDEX["jawOpen"]]
        for share in (-1, 0, 0.3, 0.6, 2)
    ]
    assert jaw == sorted(jaw)
    assert jaw[0] == jaw[1] == 0
    assert jaw[4] == 1


@pytest.mark.parametrize(
    ("part", "column", "sign"), [(pose.YAW, 0, -1), (pose.PITCH, 1, 1), (pose.ROLL, 2, 1)]
)
def test_the_head_turns_the_same_way(part: slice, column: int, sign: int):
    scores = np.zeros((2, 265), np.float32)
    for angles in (pose.PITCH, pose.YAW, pose.ROLL):
        scores[:, angles.start + 33] = 30  # 1.5 degrees
    scores[1, part] = 0
    scores[1, part.start + 36] = 30  # 10.5
    turned = mesh_motion(scores[1:], scores[0])[0, len(ARKIT) :]
    assert turned[column] == pytest.approx(sign * np.radians(9), abs=1e-3)
    assert np.abs(np.delete(turned, column)).max() < 1e-3


def test_the_head_stays_where_the_mesh_can_follow():
    scores = np.random.default_rng(0).normal(0, 300, (50, 265)).astype(np.float32)
    rows = mesh_motion(scores, STILL)
    turned, shifted = np.split(np.abs(rows[:, len(ARKIT) :]), 2, 1)
    assert turned.max(0) == pytest.approx([0.26, 0.26, 0.18])
    assert shifted.max() == pytest.approx(0.2)


def test_motion_in_pieces_is_the_same_motion():
    torch.manual_seed(0)
    denoiser = MotionDenoiser(32, 16).eval().requires_grad_(False)
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    random = np.random.default_rng(0)
    windows = [
        Window(*(random.standard_normal(s, np.float32) for s in ((265,), (80, 32), (80, 265))))
        for _ in range(2)
    ]
    diffusion, found = Diffusion(denoiser, 12), None
    assert diffusion.run(windows[:1]) is None  # dropped
    for piece in range(3):
        found = diffusion.run(windows)
        assert (found is None) == (piece < 2)
    assert found is not None
    parts = ([window.before for window in windows], [window.cond for window in windows],
             [window.begin for window in windows])  # fmt: skip
    fresh = torch.randn(12, 1, 80, 265, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, cond, begin = (torch.from_numpy(np.stack(part)) for part in parts)
        wanted = sample(denoiser, schedule(12), before, cond, begin, fresh)
    assert np.allclose(np.stack(found), wanted.numpy(), atol=1e-4)


# The ladder


@pytest.fixture(scope="module")
def photo() -> PhotoRig:
    small = cv2.resize(
        read_portrait(default_portrait()), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA
    )
    return make(np.asarray(small, np.uint8), measured(SIDE), SIDE, SIDE)


class Board:
    """A device that remembers what it was asked to paint."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Floats]] = []

    async def run(self, kind: str, jobs: Sequence[Picture]) -> list[NDArray[np.uint8]]:
        self.asked += [(kind, job.driving) for job in jobs]
        return [np.zeros((SIDE, SIDE, 3), np.uint8)] * len(jobs)


COSTS = {kind: Cost(0.001, 0.001, 8) for kind in ("picture", "small", "mouth")}


def backdrop() -> Backdrop:
    frame = np.full((SIDE, SIDE, 3), 90, np.uint8)
    way = np.array([[0.2, 0, 10], [0, 0.2, 10]])
    cut = Cut(frame, frame[:64, :64], way, np.zeros(8, np.float32), ())
    slices = np.zeros((16, 8, 8, 2), np.float16)
    return Backdrop(cut, slices, torch.device("cpu"), torch.float32)


@pytest.mark.anyio
async def test_the_head_comes_to_rest_before_the_mouth_is_all_that_moves(photo: PhotoRig):
    board = Board()
    executor: Executor[Any, Any] = Executor(board, COSTS, {"picture": 25.0})
    row = np.concatenate([np.ones(63), np.zeros(63), np.zeros(COLUMNS[-1] - 126)], dtype=np.float32)
    row[126 + INDEX["jawOpen"]], row[126 + len(ARKIT)] = 0.6, 0.2
    with executor.seat() as seat:
        ladder = Ladder(seat, tuple(COSTS), backdrop(), np.zeros((21, 3), np.float32), photo, 25)

        async def paint(step: int, frames: int) -> list[Any]:
            seat.step = step
            return [await ladder.paint(row, 1e9, must=True) for _ in range(frames)]

        await paint(1, 2)
        await paint(2, 15)
        places = [float(driving.mean()) for _, driving in board.asked]
        kinds = [kind for kind, _ in board.asked]
        assert kinds == ["small"] * 11 + ["mouth"] * 6
        assert places[:2] == [1, 1]
        assert places == sorted(places, reverse=True)
        assert np.abs(np.diff(places)).max() < 0.11
        assert set(places[11:]) == {0.0}
        before = len(board.asked)
        pictures = await paint(3, 15)
        assert len(board.asked) == before
        assert ladder.shown == "mesh"
        changes = [np.abs(b.astype(int) - a).mean() for a, b in pairwise(pictures)]
        assert max(changes[:-1]) < 10  # it turns its head little by little
        assert changes[0] > 0
        assert changes[-1] == 0
        pictures = await paint(2, 14)  # and back
        assert [kind for kind, _ in board.asked[before:]] == ["mouth"] * 4
        await paint(0, 15)
        kinds = [kind for kind, _ in board.asked[before + 4 :]]
        assert kinds == ["picture"] * 15
        assert float(board.asked[-1][1].mean()) == 1
        assert float(board.asked[before + 4][1].mean()) < 0.11


@pytest.mark.anyio
async def test_a_device_that_paints_nothing_leaves_it_to_the_mesh(photo: PhotoRig):
    board = Board()
    executor: Executor[Any, Any] = Executor(board, COSTS, {"picture": 25.0})
    row = np.zeros(COLUMNS[-1], np.float32)
    with executor.seat() as seat:
        ladder = Ladder(seat, (), backdrop(), np.zeros((21, 3), np.float32), photo, 25)
        rest = await ladder.paint(row, 1e9, must=True)
        row[126 + len(ARKIT)] = 0.2
        turned = await ladder.paint(row, 1e9, must=True)
    assert board.asked == []
    assert rest is not None
    assert turned is not None
    assert np.abs(turned.astype(int) - rest).mean() > 1


def test_only_the_mouth_is_pasted():
    base = backdrop()
    still = rgb(base.paste(torch.zeros(3, 64, 64), mouth=True).numpy())[0, 0]
    whole = rgb(base.paste(torch.ones(3, 64, 64)).numpy())
    mouth = rgb(base.paste(torch.ones(3, 64, 64), mouth=True).numpy())
    assert (mouth[10 + 66, 10 + 51] >= 254).all()  # the middle of `Cut.mouth`
    assert np.abs(still.astype(int) - 90).max() <= 1
    changed = (mouth != still).any(2)
    assert 0.03 < changed.sum() / (whole != still).any(2).sum() < 0.3
    rows, columns = np.nonzero(changed)
    assert rows.min() > 10 + 0.2 * 240
    assert columns.min() > 10 + 0.2 * 150
