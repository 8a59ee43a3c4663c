"""Runs the motion network on a stream of sound."""

import json
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.face.spectrum import BANDS, HOP, Leveller, log_mel
from realtime_avatar.media.motion import INDEX

RATE: Final = 50
"""Outputs a second."""

_BLOCK = 2 * HOP  # samples an output
_SETTLED = 16_000  # samples of silence after which its outputs change no more
_HISTORY = 240  # samples in front of the first frame that its window covers


class Network:
    """The weights of `weights/motion.onnx`, shared by all streams; thread-safe.

    Attributes:
        outputs: Names: ARKit's, then those of `visemes.ARTICULATIONS`.
        units: ARKit's alone.
        rest: float32, shape (units,): what the units are on a silent face.
        hushed: float32, shape (units,): what it makes of silence, at most, or `rest`.
        ahead: How many outputs late each comes: its look-ahead, at 50 Hz.
    """

    def __init__(self) -> None:
        with as_file(files("realtime_avatar.face") / "weights" / "motion.onnx") as path:
            self.session = cast("Any", onnx_session(path))
        notes = self.session.get_modelmeta().custom_metadata_map
        self.outputs: tuple[str, ...] = tuple(json.loads(notes["units"]))
        self.units = tuple(name for name in self.outputs if name in INDEX)
        self.prior = np.array(json.loads(notes["prior"]), np.float32)
        self.rest = np.array(json.loads(notes["rest"]), np.float32)
        self.ahead = int(notes["ahead"])
        inputs = self.session.get_inputs()
        self.pasts = {i.name: np.zeros(i.shape, np.float32) for i in inputs[1:]}
        silence = np.zeros(_SETTLED, np.float32)
        made = Stream(self).push(silence)[0][:, : len(self.units)]
        self.hushed = np.maximum(self.rest, made.max(0))


@lru_cache(maxsize=1)
def shared() -> Network:
    """Return the network, loaded once."""
    return Network()


class Stream:
    """One stream through the network.

    It computes one output at a time, whatever the chunks, so that chunking changes nothing.
    (Two at a time are slower: ONNX Runtime then takes another way through a convolution.)
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pasts = dict(network.pasts)
        self._leveller = Leveller(network.prior)
        self._pcm: NDArray[np.float32] = np.zeros(_HISTORY, np.float32)
        self._late = network.ahead

    def push(self, pcm: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take 16 kHz sound in [-1, 1].

        Returns:
            Outputs, shape (n, outputs), the first being for the first 20 ms of the stream;
            and the levelled log-mels of the sound that was new, shape (frames, 64).
        """
        self._pcm = np.concatenate([self._pcm, pcm])
        outputs: list[NDArray[np.float32]] = []
        heard: list[NDArray[np.float32]] = []
        while len(self._pcm) >= _HISTORY + _BLOCK:
            mels = self._leveller.level(log_mel(self._pcm[None, : _HISTORY + _BLOCK]))
            self._pcm = self._pcm[_BLOCK:]
            heard.append(mels[0])
            weights, *nexts = self._network.session.run(
                None, {"mels": np.ascontiguousarray(mels.transpose(0, 2, 1)), **self._pasts}
            )
            self._pasts = dict(zip(self._pasts, nexts, strict=True))
            early = min(self._late, weights.shape[2])
            self._late -= early
            outputs.append(weights[0, :, early:].T)
        return _rows(outputs, len(self._network.outputs)), _rows(heard, BANDS)


def _rows(parts: list[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    return np.concatenate([np.zeros((0, width), np.float32), *parts])
