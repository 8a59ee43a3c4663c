"""What is heard, as HuBERT's features in a stream: 1,024 numbers for each frame of 40 ms.

Hsu et al., "HuBERT", 2021. The published network takes 6,480 samples of 16 kHz at a time:
three frames that were, five that are wanted and two to come, and gives 50 outputs a second.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.face.ditto.condition import SOUND
from realtime_avatar.face.ditto.denoiser import FPS
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.resample import Resampler

RATE: Final = 16_000
FRAME: Final = RATE // FPS
BEFORE, NOW, AFTER = 3, 5, 2  # frames
CHUNK: Final = (BEFORE + NOW + AFTER) * FRAME + 80  # samples

Floats = NDArray[np.float32]
Encoder = Callable[[Floats], Floats]
"""From (6480,) samples in [-1, 1] to (outputs, 1024), 20 ms each."""


def encoder(path: Path, threads: int, device: str) -> Encoder:
    """Open the published network.

    Args:
        path: The ONNX file.
        threads: That it may compute with where there is no GPU.
        device: "cuda" or "cpu". ONNX Runtime's own GPU build is needed for the first; else
            it is the CPU.
    """
    session = onnx_session(path, threads, cuda=device == "cuda")
    (given,) = session.get_inputs()

    def encode(samples: Floats) -> Floats:
        (out, *_) = session.run(None, {given.name: samples[None]})
        return np.asarray(out, np.float32).reshape(-1, SOUND)

    return encode


class Ears:
    """Hears one stretch of speech.

    Args:
        encode: The network.
    """

    def __init__(self, encode: Encoder) -> None:
        self._encode = encode
        self._resampler = Resampler(RATE)
        # From the first sample that the next chunk needs on; before the speech was silence.
        self._samples = np.zeros(BEFORE * FRAME, np.float32)

    def push(self, audio: Audio) -> Floats:
        """Take the next stretch; return the features of frames whose future is known.

        Returns:
            (frames, 1024), possibly none; frames come five at a time.
        """
        return self._hear(self._resampler.push(audio))

    def finish(self, frames: int) -> Floats:
        """Return the features of the last `frames` frames, as if silence followed."""
        rest = [self._hear(self._resampler.flush())]
        while sum(map(len, rest)) < frames:
            rest.append(self._hear(Audio.silence(NOW * FRAME, RATE)))
        return np.concatenate(rest)[:frames]

    def _hear(self, audio: Audio) -> Floats:
        self._samples = np.concatenate([self._samples, audio.float32()])
        found = [np.zeros((0, SOUND), np.float32)]
        while len(self._samples) >= CHUNK:
            outputs = self._encode(self._samples[:CHUNK])
            now = outputs[-2 * (NOW + AFTER) : -2 * AFTER]
            found.append(now.reshape(NOW, 2, SOUND).mean(1))
            self._samples = self._samples[NOW * FRAME :]
        return np.concatenate(found)


def silence(encode: Encoder) -> Floats:
    """Return the features of frames in which nothing is heard, (5, 1024)."""
    return Ears(encode).push(Audio.silence(CHUNK, RATE))[:NOW]
