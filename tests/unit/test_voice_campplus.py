"""CAM++ in numpy: against PyTorch on random weights, and on real weights and voices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_avatar.errors import ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import to_int16
from realtime_avatar.media.read import read_audio
from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.campplus import CAMPPLUS, CamPlusPlus, log_mels

BLOCKS = ((128, 12, 1), (256, 24, 2), (512, 16, 2))
"""Channels of what comes in, layers, dilation."""


def random_tensors(torch: Any) -> dict[str, Any]:
    """Return weights of every name and shape that the real file has."""
    made: dict[str, Any] = {}

    def weight(name: str, *shape: int) -> None:
        fan = np.prod(shape[1:])
        made[f"{name}.weight"] = torch.randn(*shape) * (2 / fan) ** 0.5

    def norm(name: str, size: int, *, affine: bool = True) -> None:
        made[f"{name}.running_mean"] = 0.1 * torch.randn(size)
        made[f"{name}.running_var"] = 0.5 + torch.rand(size)
        made[f"{name}.num_batches_tracked"] = torch.tensor(7)
        if affine:
            made[f"{name}.weight"] = 0.5 + torch.rand(size)
            made[f"{name}.bias"] = 0.1 * torch.randn(size)

    weight("head.conv1", 32, 1, 3, 3)
    norm("head.bn1", 32)
    for layer in (1, 2):
        for number in (0, 1):
            at = f"head.layer{layer}.{number}"
            for k in (1, 2):
                weight(f"{at}.conv{k}", 32, 32, 3, 3)
                norm(f"{at}.bn{k}", 32)
        weight(f"head.layer{layer}.0.shortcut.0", 32, 32, 1, 1)
        norm(f"head.layer{layer}.0.shortcut.1", 32)
    weight("head.conv2", 32, 32, 3, 3)
    norm("head.bn2", 32)
    weight("xvector.tdnn.linear", 128, 320, 5)
    norm("xvector.tdnn.nonlinear.batchnorm", 128)
    for block, (size, layers, _) in enumerate(BLOCKS, 1):
        for layer in range(layers):
            at = f"xvector.block{block}.tdnnd{layer + 1}"
            norm(f"{at}.nonlinear1.batchnorm", size + 32 * layer)
            weight(f"{at}.linear1", 128, size + 32 * layer, 1)
            norm(f"{at}.nonlinear2.batchnorm", 128)
            weight(f"{at}.cam_layer.linear_local", 32, 128, 3)
            for k, (out, into) in enumerate(((64, 128), (32, 64)), 1):
                weight(f"{at}.cam_layer.linear{k}", out, into, 1)
                made[f"{at}.cam_layer.linear{k}.bias"] = 0.1 * torch.randn(out)
        grown = size + 32 * layers
        norm(f"xvector.transit{block}.nonlinear.batchnorm", grown)
        weight(f"xvector.transit{block}.linear", grown // 2, grown, 1)
    norm("xvector.out_nonlinear.batchnorm", 512)
    weight("xvector.dense.linear", 192, 1024, 1)
    norm("xvector.dense.nonlinear.batchnorm", 192, affine=False)
    return made


def by_torch(torch: Any, held: dict[str, Any], bands: Any) -> Any:
    """Return what PyTorch makes of bands (frames, 80) whose mean is taken away."""
    ops = torch.nn.functional

    def norm(x: Any, name: str) -> Any:
        return ops.batch_norm(
            x, held[f"{name}.running_mean"], held[f"{name}.running_var"],
            held.get(f"{name}.weight"), held.get(f"{name}.bias"),
        )  # fmt: skip

    def plane(x: Any, name: str, after: str, stride: int = 1) -> Any:
        kernel = held[f"{name}.weight"]
        padding = kernel.shape[-1] // 2
        return norm(ops.conv2d(x, kernel, stride=(stride, 1), padding=padding), after)

    x = ops.relu(plane(bands.T[None, None], "head.conv1", "head.bn1"))
    for layer in (1, 2):
        for number in (0, 1):
            at, stride = f"head.layer{layer}.{number}", 2 - number
            out = ops.relu(plane(x, f"{at}.conv1", f"{at}.bn1", stride))
            out = plane(out, f"{at}.conv2", f"{at}.bn2")
            if number == 0:
                x = plane(x, f"{at}.shortcut.0", f"{at}.shortcut.1", 2)
            x = ops.relu(out + x)
    x = ops.relu(plane(x, "head.conv2", "head.bn2", 2)).flatten(1, 2)
    x = ops.conv1d(x, held["xvector.tdnn.linear.weight"], stride=2, padding=2)
    x = ops.relu(norm(x, "xvector.tdnn.nonlinear.batchnorm"))
    for block, (_, layers, dilation) in enumerate(BLOCKS, 1):
        for layer in range(layers):
            at = f"xvector.block{block}.tdnnd{layer + 1}"
            y = ops.relu(norm(x, f"{at}.nonlinear1.batchnorm"))
            y = ops.conv1d(y, held[f"{at}.linear1.weight"])
            y = ops.relu(norm(y, f"{at}.nonlinear2.batchnorm"))
            at = f"{at}.cam_layer"
            local = ops.conv1d(
                y, held[f"{at}.linear_local.weight"], padding=dilation, dilation=dilation
            )
            pooled = ops.avg_pool1d(y, 100, 100, ceil_mode=True).repeat_interleave(100, dim=-1)
            mask = y.mean(-1, keepdim=True) + pooled[..., : y.shape[-1]]
            for k, act in ((1, torch.relu), (2, torch.sigmoid)):
                kernel, bias = held[f"{at}.linear{k}.weight"], held[f"{at}.linear{k}.bias"]
                mask = act(ops.conv1d(mask, kernel, bias))
            x = torch.cat([x, local * mask], dim=1)
        x = ops.relu(norm(x, f"xvector.transit{block}.nonlinear.batchnorm"))
        x = ops.conv1d(x, held[f"xvector.transit{block}.linear.weight"])
    x = ops.relu(norm(x, "xvector.out_nonlinear.batchnorm"))
    x = torch.cat([x.mean(-1), x.std(-1)], dim=1)[..., None]
    x = ops.conv1d(x, held["xvector.dense.linear.weight"])
    return norm(x, "xvector.dense.nonlinear.batchnorm")[0, :, 0]


@pytest.mark.parametrize("seconds", [1.0, 3.3, 6.1])
def test_it_is_what_pytorch_computes(tmp_path: Path, seconds: float):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    torch.manual_seed(0)
    tensors = random_tensors(torch)
    torch.save(tensors, tmp_path / "campplus_cn_en_common.pt")
    sound = np.random.default_rng(0).standard_normal(int(seconds * 16_000)) * 0.1
    audio = Audio(to_int16(sound.astype(np.float32)), 16_000, 0)
    bands = torch.from_numpy(log_mels(audio.float32()))
    expected = by_torch(torch, tensors, bands - bands.mean(0)).numpy()
    found = CamPlusPlus(tmp_path).embed(audio)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=2e-6)


def test_a_tone_is_in_its_band():
    times = np.arange(16_000) / 16_000
    for hertz in (200, 1000, 4000):
        mels = log_mels((0.1 * np.sin(2 * np.pi * hertz * times)).astype(np.float32))
        assert mels.shape == (98, 80)
        lowest, highest = 1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700)
        step = (highest - lowest) / 81
        expected = (1127 * np.log1p(hertz / 700) - lowest) / step - 1
        assert np.all(np.abs(mels.argmax(axis=1) - expected) <= 1)


def test_silence_and_a_moment_give_a_vector():
    encoder = CamPlusPlus(ModelStore().path(CAMPPLUS))
    for samples in (0, 100, 5000):
        found = encoder.embed(Audio(np.zeros(samples, np.int16), 16_000, 0))
        assert found.shape == (192,)
        assert np.isfinite(found).all()


def test_halves_of_a_recording_are_one_speakers_and_others_are_not(recordings: Path):
    encoder = CamPlusPlus(ModelStore().path(CAMPPLUS))
    halves: list[np.ndarray] = []
    for name in ("arctic_a0007", "arctic_a0009", "jfk"):
        pcm = read_audio(recordings / f"{name}.wav").pcm
        halves += [encoder.embed(Audio(half, 16_000, 0)) for half in np.array_split(pcm, 2)]
    alike = np.array(halves) @ np.array(halves).T
    same = [alike[2 * n, 2 * n + 1] for n in range(3)]
    others = [alike[m, n] for m in range(6) for n in range(6) if m // 2 != n // 2]
    assert min(same) > 0.6
    assert max(others) < 0.3


def test_another_file_is_told(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "campplus_cn_en_common.pt")
    with pytest.raises(ModelMissing, match=r"not what it should be: it has no 'head\."):
        CamPlusPlus(tmp_path)
