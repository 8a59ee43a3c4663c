"""CAM++: a speaker encoder of dense layers that are masked by their context.

Wang, Zheng, Chen, Cheng, Chen, "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", 2023; weights of 3D-Speaker for Chinese and English. It runs in numpy.
"""

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.errors import ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample
from realtime_avatar.voice.mel import HOP, RATE
from realtime_avatar.voice.torch_file import read_tensors

CAMPPLUS: Final = "speaker-campplus"
"""Id in the catalogue."""

_BANDS: Final = 80
_FRAME: Final = 400  # samples, 25 ms
_FFT: Final = 512
_PREEMPHASIS: Final = 0.97
_LEAST: Final = 1.1920929e-07  # of a band's power
_BLOCKS: Final = ((12, 1), (24, 2), (16, 2))  # layers of each, and their dilation
_SEGMENT: Final = 100  # frames whose mean is a layer's context, besides that of all
_SHORTEST: Final = RATE  # samples: less is repeated

Floats = NDArray[np.float32]
_Pair = tuple[Floats, Floats]


class CamPlusPlus:
    """The encoder.

    Args:
        folder: Where the store keeps it.

    Raises:
        ModelMissing: if the file is not what it should be.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / "campplus_cn_en_common.pt"
        held = _Held(read_tensors(file))
        try:
            self._head = _Head(held)
            self._layers = _Dense(held)
        except KeyError as error:
            raise ModelMissing(f"{file} is not what it should be: it has no {error}") from error

    def embed(self, audio: Audio) -> Floats:
        """Return whose voice it is, a unit vector, float32 (192,). Blocking."""
        sound = resample(audio, RATE).float32()
        if len(sound) < _SHORTEST:
            sound = np.resize(sound, _SHORTEST)  # repeats it
        bands = log_mels(sound)
        vector = self._layers(self._head((bands - bands.mean(axis=0)).T))
        return (vector / (np.linalg.norm(vector) + 1e-12)).astype(np.float32)


def log_mels(sound: Floats) -> Floats:
    """Return the logarithm of the power in 80 mel bands, as Kaldi computes it without dither.

    Args:
        sound: 16 kHz in [-1, 1], shape (samples,), at least 400.

    Returns:
        float32, shape (frames, 80), a frame each 10 ms.
    """
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::HOP].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - _PREEMPHASIS * before) * np.hanning(_FRAME) ** 0.85
    spectrum = np.fft.rfft(frames, _FFT, axis=1)[:, :-1]
    power = spectrum.real**2 + spectrum.imag**2
    return np.log(np.maximum(power @ _filters(), _LEAST)).astype(np.float32)


@cache
def _filters() -> NDArray[np.float64]:
    """Return triangles on the mel scale 1127 ln(1 + f / 700), from 20 Hz on: (256, 80)."""
    lowest, highest = (1127 * np.log1p(hertz / 700) for hertz in (20, RATE / 2))
    edges = np.linspace(lowest, highest, _BANDS + 2)
    mels = 1127 * np.log1p(np.arange(_FFT // 2)[:, None] * RATE / _FFT / 700)
    width = edges[1] - edges[0]
    return np.clip(np.minimum(mels - edges[:-2], edges[2:] - mels) / width, 0, None)


class _Held:
    """The file's tensors, with normalisations turned into a factor and an addend."""

    def __init__(self, tensors: dict[str, Floats]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Floats:
        return self._tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def norm(self, name: str) -> _Pair:
        """Return the factor and the addend of a batch normalisation."""
        mean, variance = self[f"{name}.running_mean"], self[f"{name}.running_var"]
        factor = (1 / np.sqrt(variance + np.float32(1e-5))).astype(np.float32)
        addend = -mean * factor
        if f"{name}.weight" in self:
            scale = self[f"{name}.weight"]
            factor, addend = factor * scale, addend * scale + self[f"{name}.bias"]
        return factor, addend

    def normed(self, weight: str, norm: str) -> _Pair:
        """Return the weights and the bias of a convolution and the normalisation after it."""
        factor, addend = self.norm(norm)
        kernel = self[f"{weight}.weight"]
        return kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1)), addend


class _Head:
    """Convolutions over bands and time that leave a tenth of the bands, 32 channels each."""

    def __init__(self, held: _Held) -> None:
        self._first = held.normed("head.conv1", "head.bn1")
        self._blocks = [
            _Residual(held, f"head.layer{layer}.{number}", 2 if number == 0 else 1)
            for layer in (1, 2)
            for number in (0, 1)
        ]
        self._last = held.normed("head.conv2", "head.bn2")

    def __call__(self, bands: Floats) -> Floats:
        """Return float32 (320, frames) for bands (80, frames)."""
        x = np.maximum(_plane(bands[None], self._first), 0)
        for block in self._blocks:
            x = block(x)
        x = np.maximum(_plane(x, self._last, 2), 0)
        return x.reshape(-1, x.shape[-1])


class _Residual:
    def __init__(self, held: _Held, name: str, stride: int) -> None:
        self._stride = stride
        self._first = held.normed(f"{name}.conv1", f"{name}.bn1")
        self._second = held.normed(f"{name}.conv2", f"{name}.bn2")
        shortcut = f"{name}.shortcut"
        self._shortcut = held.normed(f"{shortcut}.0", f"{shortcut}.1") if stride > 1 else None

    def __call__(self, x: Floats) -> Floats:
        out = _plane(np.maximum(_plane(x, self._first, self._stride), 0), self._second)
        if self._shortcut:
            x = _plane(x, self._shortcut, self._stride)
        return np.maximum(out + x, 0)


class _Dense:
    """Layers over time, each of which adds 32 channels, and the statistics of what they say."""

    def __init__(self, held: _Held) -> None:
        self._first = held.normed("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
        self._blocks = [
            (
                [
                    _Masked(held, f"xvector.block{block}.tdnnd{n + 1}", dilation)
                    for n in range(many)
                ],
                held.norm(f"xvector.transit{block}.nonlinear.batchnorm"),
                held[f"xvector.transit{block}.linear.weight"][..., 0],
            )
            for block, (many, dilation) in enumerate(_BLOCKS, 1)
        ]
        self._norm = held.norm("xvector.out_nonlinear.batchnorm")
        self._last = held.normed("xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")

    def __call__(self, x: Floats) -> Floats:
        """Return float32 (192,) for (320, frames)."""
        x = np.maximum(_line(x, self._first, stride=2), 0)
        for layers, norm, narrowed in self._blocks:
            for layer in layers:
                x = np.concatenate([x, layer(x)])
            x = narrowed @ _rectified(x, norm)
        x = _rectified(x, self._norm)
        weight, bias = self._last
        return weight[..., 0] @ np.concatenate([x.mean(axis=1), x.std(axis=1, ddof=1)]) + bias


class _Masked:
    def __init__(self, held: _Held, name: str, dilation: int) -> None:
        self._dilation = dilation
        self._norm = held.norm(f"{name}.nonlinear1.batchnorm")
        self._narrowed = held.normed(f"{name}.linear1", f"{name}.nonlinear2.batchnorm")
        local = held[f"{name}.cam_layer.linear_local.weight"]
        self._local = local, np.zeros(len(local), np.float32)
        self._context = [
            (held[f"{name}.cam_layer.linear{n}.weight"][..., 0],
             held[f"{name}.cam_layer.linear{n}.bias"][:, None])
            for n in (1, 2)
        ]  # fmt: skip

    def __call__(self, x: Floats) -> Floats:
        """Return float32 (32, frames) for (channels, frames)."""
        weight, bias = self._narrowed
        x = np.maximum(weight[..., 0] @ _rectified(x, self._norm) + bias[:, None], 0)
        starts = range(0, x.shape[1], _SEGMENT)
        context = np.stack([x[:, at : at + _SEGMENT].mean(axis=1) for at in starts], axis=1)
        context += x.mean(axis=1, keepdims=True)
        (first, first_bias), (second, second_bias) = self._context
        mask = second @ np.maximum(first @ context + first_bias, 0) + second_bias
        mask = (0.5 * np.tanh(0.5 * mask) + 0.5).repeat(_SEGMENT, axis=1)[:, : x.shape[1]]
        return _line(x, self._local, dilation=self._dilation) * mask


def _rectified(x: Floats, norm: _Pair) -> Floats:
    factor, addend = norm
    return np.maximum(x * factor[:, None] + addend[:, None], 0)


def _plane(x: Floats, layer: _Pair, stride: int = 1) -> Floats:
    """Convolve (channels, bands, frames); bands are taken a stride apart."""
    kernel, bias = layer
    high, wide = kernel.shape[2:]
    bands, frames = -(-x.shape[1] // stride), x.shape[2]
    padded = np.pad(x, ((0, 0), (high // 2, high // 2), (wide // 2, wide // 2)))
    out = np.repeat(bias[:, None], bands * frames, axis=1)
    for i in range(high):
        for j in range(wide):
            seen = padded[:, i : i + x.shape[1] : stride, j : j + frames]
            out += kernel[:, :, i, j] @ seen.reshape(len(x), -1)
    return out.reshape(-1, bands, frames)


def _line(x: Floats, layer: _Pair, stride: int = 1, dilation: int = 1) -> Floats:
    """Convolve (channels, frames)."""
    kernel, bias = layer
    reach = kernel.shape[2] // 2 * dilation
    padded = np.pad(x, ((0, 0), (reach, reach)))
    out = np.repeat(bias[:, None], -(-x.shape[1] // stride), axis=1)
    for k in range(kernel.shape[2]):
        out += kernel[:, :, k] @ padded[:, k * dilation :][:, : x.shape[1] : stride]
    return out
