"""How Kokoro's model is run: by the project's own kernels where the processor has AVX2."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.voice.byte_convolution import supported
from realtime_avatar.voice.kokoro_generator import Generator, Task
from realtime_avatar.voice.norm_statistics import Statistics
from realtime_avatar.voice.onnx_convolutions import has_dot_products, with_products
from realtime_avatar.voice.onnx_output import with_int64_output

DURATIONS: Final = "/encoder/Cast_output_0"


class Synthesiser(Protocol):
    """Computes what Kokoro says: wave, and how many frames each symbol takes."""

    def unknown(self) -> Statistics:
        """Return room for a voice's statistics; none where they are of no use."""
        ...

    def run(self, task: Task, run: Any) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Yield the wave as far as it is known, each time longer, and the durations of all.

        Args:
            task: What is said.
            run: By which it is told to terminate; see `run_options`.
        """
        ...

    def close(self) -> None: ...


class OnnxSynthesiser:
    """A model that ONNX Runtime runs. See `Generator`, which is quicker."""

    def __init__(self, model: bytes, threads: int) -> None:
        parts = with_products(model, dot_products=has_dot_products())
        self._session = onnx_session(parts, threads)

    def unknown(self) -> Statistics:
        """Return none."""
        return {}

    def run(self, task: Task, run: Any) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Yield wave and durations at once, with all silence."""
        wave, durations = cast("list[NDArray[Any]]", self._session.run(None, task.inputs, run))
        yield wave, durations

    def close(self) -> None:
        """Nothing to let go of: the session ends with the object."""


def synthesiser(file: Path, threads: int) -> Synthesiser:
    """Return the quickest for this processor.

    Args:
        file: Kokoro's model.
        threads: How many one utterance may use.
    """
    model = with_int64_output(file, DURATIONS)
    if supported():
        return Generator(model, DURATIONS, threads)
    return OnnxSynthesiser(model, threads)


def run_options() -> Any:
    """Return ONNX Runtime's RunOptions, by which a run is told to terminate."""
    import onnxruntime

    return cast("Any", onnxruntime).RunOptions()
