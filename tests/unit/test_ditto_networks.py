"""Ditto's networks against the published ones' outputs on deterministic weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (the extra gpu)")

from realtime_avatar.bench.ditto_accuracy import Inputs, errors, network  # noqa: E402
from realtime_avatar.face.ditto.fast_decoder import FastDecoder  # noqa: E402
from realtime_avatar.face.ditto.fast_warp import FastWarp  # noqa: E402
from realtime_avatar.face.ditto.networks import NETWORKS  # noqa: E402
from realtime_avatar.face.ditto.sampler import remaining, sample, schedule  # noqa: E402

REFERENCE = Path(__file__).parents[1] / "fixtures" / "ditto"


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_those_of_the_published_checkpoints(name: str):
    published = json.loads((REFERENCE / "state_dicts.json").read_text())[name]
    with torch.device("meta"):
        state = NETWORKS[name]().state_dict()
    ours = {
        key: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for key, value in state.items()
    }
    assert ours == published


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_published_networks(name: str):
    with np.load(REFERENCE / "outputs.npz") as reference:
        found = errors(name, reference, Inputs())
    assert found
    assert max(found.values()) < 2e-3, found


def test_the_served_decoder_paints_the_same_picture():
    decoder = network("decoder")
    feature = Inputs()("warped", 2, 256, 8, 8)
    assert relative(FastDecoder(decoder)(feature), decoder(feature)) < 1e-5


def test_the_served_warp_moves_the_same_way():
    warp, give = network("warp_network"), Inputs()
    volume = give("feature_3d", 2, 32, 16, 32, 32)
    source, driving = give.keypoints(2)
    slices = volume.permute(0, 2, 3, 4, 1).contiguous()
    served = FastWarp(warp)(slices, source, driving)
    assert relative(served, warp(volume, source, driving)) < 1e-4


def test_a_schedule_ends_with_what_the_model_told():
    plan = schedule(5)
    assert plan.times.tolist() == [999, 799, 599, 399, 199]
    assert plan.factors[-1].tolist() == [1, 0, 0]


@pytest.mark.parametrize("steps", [5, 25, 50])
def test_every_step_keeps_the_motion_and_the_noise_in_proportion(steps: int):
    """A model that always tells the truth: what is left is the motion and the right noise."""
    plan, left = schedule(steps), remaining().double()
    signal, noise = left[plan.times[0]].sqrt().item(), (1 - left[plan.times[0]]).item()
    for time, (told, noisy, fresh) in zip(
        plan.times[1:].tolist(), plan.factors[:-1].double().tolist(), strict=True
    ):
        signal = told + noisy * signal
        noise = noisy**2 * noise + fresh**2
        assert signal == pytest.approx(left[time].sqrt().item(), abs=1e-4)
        assert noise == pytest.approx(1 - left[time].item(), abs=1e-4)


def test_windows_of_a_batch_do_not_mix():
    model, give = network("lmdm"), Inputs()
    frame, cond = give("cond_frame", 2, 265), give("cond", 2, 80, 1059)
    begin, fresh = give("begin", 2, 80, 265), give("fresh", 2, 1, 80, 265)
    both = sample(model, schedule(2), frame, cond, begin, fresh)
    for one in range(2):
        row = slice(one, one + 1)
        alone = sample(model, schedule(2), frame[row], cond[row], begin[row], fresh)
        assert relative(both[row], alone) < 1e-4


def relative(found: Any, wanted: Any) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())
