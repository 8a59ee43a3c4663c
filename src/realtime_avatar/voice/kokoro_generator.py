"""Kokoro with the residual blocks of its vocoder computed here, not by ONNX Runtime.

They are nine tenths of its work: 48 convolutions at 800 and 4,800 moments a second, each behind
an adaptive instance normalisation and a snake (iSTFTNet, Kaneko and others 2022; StyleTTS 2, Li
and others 2023). The blocks of a stage know nothing of each other, so each has a core to itself.

What is normalised by the statistics of its own utterance cannot be heard before all of it is
known. A voice's are nearly the same whatever it says, so with those of another utterance of it the
vocoder needs no more than a tenth of a second around each moment, and speaks part by part.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.voice.byte_convolution import ROWS, WIDE, Packed, convolve, packed
from realtime_avatar.voice.delivery import FRAME
from realtime_avatar.voice.norm_statistics import Statistics
from realtime_avatar.voice.onnx_convolutions import has_dot_products, narrowed, with_products
from realtime_avatar.voice.onnx_parts import Model
from realtime_avatar.voice.parts import REACH
from realtime_avatar.voice.snake import quantise, snake, statistics

_HERE: Final = "/decoder/decoder/generator"
_NOISE: Final = ("noise_res.0", "noise_res.1")
_STAGES: Final = (("resblocks.0", "resblocks.1", "resblocks.2"),
                  ("resblocks.3", "resblocks.4", "resblocks.5"))  # fmt: skip
_PASSES: Final = 6  # of a block: three times one with a dilation and one without
_VARIANCE: Final = 1e-5  # added, as by the model
_BEFORE: Final = 9
"""Frames of 25 ms before the first symbol: it is heard up to four of them early."""
_WORTH: Final = 12
"""Frames of silence that are worth leaving out: what is normalised without them comes out a little
otherwise."""
_AFTER: Final = 10
"""Frames after the last has begun: it is over after five, and a pause is in it."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Pass:
    """A normalisation, a snake and a convolution.

    Attributes:
        alpha: Of the snake, [channels].
        weights: Of the convolution.
        sums: Of all weights of a channel out: what one unit of the zero point adds, [channels].
        scale: What a weight's unit is worth, [channels].
        bias: [channels].
        before: Moments of zero before the first.
        dilation: Moments between two taps.
    """

    alpha: Array
    weights: Packed
    sums: NDArray[np.float64]
    scale: NDArray[np.float64]
    bias: Array
    before: int
    dilation: int


def _nowhere(_: NDArray[np.int64]) -> Sequence[int]:
    return ()


class Task(NamedTuple):
    """An utterance to be computed.

    Attributes:
        inputs: Of the model.
        said: Which of the tokens are heard; None: all. Most of the silence before and after them
            may be left out, of the durations too.
        voice: Statistics of the voice; those of the utterance if None. Where none are known yet,
            those of the utterance become known.
        cuts: Tells from the durations at which frames a part ends. Only a voice whose
            statistics are known has parts.
    """

    inputs: dict[str, NDArray[Any]]
    said: range | None = None
    voice: Statistics | None = None
    cuts: Callable[[NDArray[np.int64]], Sequence[int]] = _nowhere


class Generator:
    """Runs a Kokoro model.

    Args:
        model: Serialised; its second output are the durations.
        durations: Name of that.
        threads: How many one utterance may use.
    """

    def __init__(self, model: bytes, durations: str, threads: int) -> None:
        read = Model(model)
        blocks = [*_NOISE, *_STAGES[0], *_STAGES[1]]
        self._blocks = {name: [_pass(read, name, at) for at in range(_PASSES)] for name in blocks}
        styles = [style for name in blocks for at in range(_PASSES) for style in _styles(name, at)]
        noise = [f"{_HERE}/noise_convs.{at}/Conv_output_0" for at in (0, 1)]
        stft = read.makers[f"{_HERE}/STFT_output_0"]
        excitation, (self._spectrum,) = stft.inputs[0], stft.outputs
        self._hop = int(read.array(stft.inputs[1]).item())
        self._basis = fourier_basis(read.array(stft.inputs[2]))
        wide = f"{_HERE}/ups.0/ConvTranspose_output_0"
        self._outputs = [durations, wide, excitation, *styles]
        means = (f"{_HERE}/Div_2_output_0", f"{_HERE}/Div_4_output_0")
        widened = f"{_HERE}/reflection_pad/Pad_output_0"

        def session(inputs: Sequence[str], outputs: Sequence[str]) -> Any:
            part = with_products(read.part(inputs, outputs), dot_products=has_dot_products())
            return onnx_session(part, threads)

        self._first = session(("tokens", "style", "speed"), self._outputs)
        self._noise = session((self._spectrum,), noise)
        self._widen = session((means[0],), (widened,))
        self._last = session((means[1],), ("audio",))
        self._workers = ThreadPoolExecutor(threads, "kokoro")

    def unknown(self) -> Statistics:
        """Return room for a voice's statistics, which the next utterance with it will fill."""
        return {name: [] for name in self._blocks}

    def run(self, task: Task, run: Any) -> Iterator[tuple[Array, NDArray[np.int64]]]:
        """Yield the wave as far as it is known, each time longer, and the durations of all.

        Args:
            task: What is said.
            run: ONNX Runtime's RunOptions: where it is told to terminate.

        Raises:
            InterruptedError: if it was.
        """
        found = self._first.run(self._outputs, task.inputs, run)
        durations, (first, last) = _heard(found[0], task.said)
        voice = self.unknown() if task.voice is None else task.voice
        wave = np.empty(0, np.float32)
        known = all(voice.values())
        bounds = [*(task.cuts(durations) if known else ()), last - first]
        for start, end in zip([0, *bounds], bounds, strict=False):
            begin, stop = max(start - REACH, 0), min(end + REACH, last - first)
            part = self._part(found, (first + begin, first + stop), voice, run)
            part = part[(start - begin) * FRAME : (end - begin) * FRAME]
            wave = np.concatenate([wave, part])
            yield wave, durations

    def _part(
        self, found: list[NDArray[Any]], frames: tuple[int, int], voice: Statistics, run: Any
    ) -> Array:
        """Return the wave of some frames of what the first session found."""
        first, last = frames
        size = found[1].shape[2] // int(found[0].sum())
        wide = _moments(found[1][:, :, first * size : last * size])
        margin = found[2].size - found[0].sum() * FRAME
        excitation = found[2].ravel()[first * FRAME : last * FRAME + margin]
        spectrum = transformed(excitation, self._basis, self._hop)
        noise = [
            _moments(array) for array in self._noise.run(None, {self._spectrum: spectrum}, run)
        ]
        styles = iter(found[3:])
        style = {
            name: [(next(styles).ravel(), next(styles).ravel()) for _ in passes]
            for name, passes in self._blocks.items()
        }

        def start(name: str, x: Array) -> "Future[Array]":
            passes, stopped = self._blocks[name], lambda: bool(run.terminate)
            work = partial(_block, passes, style[name], voice[name], x, stopped)
            return self._workers.submit(work)

        try:
            sources = [start(name, x) for name, x in zip(_NOISE, noise, strict=True)]
            stage = self._stage(start, _STAGES[0], wide + sources[0].result())
            (wider,) = self._widen.run(None, {f"{_HERE}/Div_2_output_0": stage}, run)
            stage = self._stage(start, _STAGES[1], _moments(wider) + sources[1].result())
        except BaseException:
            run.terminate = True  # the blocks that are still at work
            raise
        (wave,) = self._last.run(None, {f"{_HERE}/Div_4_output_0": stage}, run)
        return wave

    def _stage(
        self, start: Callable[[str, Array], "Future[Array]"], names: Sequence[str], x: Array
    ) -> Array:
        """Return the mean of a stage's blocks, [1, channels, time]."""
        # The longest first: the others then share the other core.
        results = [start(name, x.copy()) for name in reversed(names)]
        total = sum(result.result() for result in results[1:]) + results[0].result()
        return np.ascontiguousarray((total / np.float32(len(names))).T[None])

    def close(self) -> None:
        """Let go of the threads."""
        self._workers.shutdown(wait=False)


def _heard(
    durations: NDArray[np.int64], said: range | None
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Return the durations of what is to be computed, and its first and last frame."""
    bounds = np.concatenate(([0], np.cumsum(durations[0])))
    whole = int(bounds[-1])
    if said is None:
        return durations, (0, whole)
    first = max(int(bounds[said.start]) - _BEFORE, 0)
    last = min(int(bounds[said.stop - 1]) + _AFTER, whole)
    if last - first > whole - _WORTH:
        return durations, (0, whole)
    return np.diff(np.clip(bounds, first, last))[None], (first, last)


def fourier_basis(window: NDArray[Any]) -> Array:
    """Return a window's real Fourier transform as a matrix, [time, 2 * frequencies].

    Columns are real and imaginary parts in turn.
    """
    length = len(window)
    rows = np.fft.rfft(np.diag(window.astype(np.float64)), axis=1)
    parts = np.stack([rows.real, rows.imag], axis=2).reshape(length, -1)
    return parts.astype(np.float32)


def transformed(wave: Array, basis: Array, hop: int) -> Array:
    """Return a short-time Fourier transform as ONNX's STFT does, [1, time, frequencies, 2].

    ONNX Runtime takes a quarter of all that it does before the blocks for this, and leaves the
    sign of an imaginary part that is nothing to chance: a negative number's phase is pi or -pi.
    Kokoro has learned pi.
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave, len(basis))[::hop]
    found = (frames @ basis).reshape(1, len(frames), -1, 2)
    found[..., (0, -1), 1] = np.finfo(np.float32).tiny
    return found


def _block(
    passes: list[_Pass],
    style: list[tuple[Array, Array]],
    known: list[tuple[Array, Array]],
    x: Array,
    stopped: Callable[[], bool],
) -> Array:
    """Compute a residual block.

    Args:
        passes: Of the block.
        style: Gain and shift of each pass, [channels].
        known: Mean and variance before each, [channels]; where none are known, those found
            become known.
        x: [time, channels]; becomes the result.
        stopped: Asked before each pass.

    Raises:
        InterruptedError: if it is stopped.
    """
    length, channels = x.shape
    inner, curved = np.empty_like(x), np.empty_like(x)
    most = max(2 * one.before for one in passes)
    room = np.empty((length + most + ROWS, channels), np.uint8)
    for at, (one, (gain, shift)) in enumerate(zip(passes, style, strict=True)):
        if stopped():
            raise InterruptedError
        source, target = (inner, x) if at % 2 else (x, inner)
        if at == len(known):
            known.append(statistics(source))
        mean, variance = known[at]
        factor = gain / np.sqrt(variance + np.float32(_VARIANCE))
        least, greatest = snake(source, factor, shift - mean * factor, one.alpha, curved)
        padded = room[: length + 2 * one.before + ROWS]
        scale, zero = quantise(curved, least, greatest, one.before, padded)
        worth = (scale * one.scale).astype(np.float32)
        offset = (one.bias - zero * one.sums * scale * one.scale).astype(np.float32)
        convolve(
            padded,
            one.weights.bytes,
            one.weights.groups,
            one.dilation,
            worth,
            offset,
            target,
            bool(at % 2),
        )
    return x


def _pass(model: Model, block: str, at: int) -> _Pass:
    turn, which = divmod(at, 2)
    name = f"convs{which + 1}.{turn}"
    node = model.makers[f"{_HERE}/{block}/{name}/Conv_output_0_output_quantized"]
    weights, zero = model.array(node.inputs[1]), model.array(node.inputs[3])
    scale = model.array(node.inputs[1].removesuffix("_quantized") + "_scale")
    matrix = weights.transpose(2, 1, 0).astype(np.int32) - int(zero.item())
    whole, units = narrowed(matrix, dot_products=bool(WIDE))
    own = f"decoder.decoder.generator.{block}"
    bias = model.array(f"{own}.{name}.bias")
    return _Pass(
        np.ascontiguousarray(model.array(f"{own}.alpha{which + 1}.{turn}").ravel(), np.float32),
        packed(whole),
        whole.sum(axis=(0, 1), dtype=np.float64),
        units.astype(np.float64) * float(scale.item()),
        np.asarray(bias, np.float32),
        node.attributes["pads"][0],
        node.attributes["dilations"][0],
    )


def _styles(block: str, at: int) -> tuple[str, str]:
    """Return the names of a pass's gain and shift."""
    turn, which = divmod(at, 2)
    own = f"{_HERE}/{block}/adain{which + 1}.{turn}"
    return f"{own}/Add_1_output_0", f"{own}/Slice_1_output_0"


def _moments(array: NDArray[Any]) -> Array:
    """Return [1, channels, time] as [time, channels]."""
    return np.ascontiguousarray(cast("Array", array)[0].T)
