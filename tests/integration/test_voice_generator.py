"""Kokoro's blocks computed here, against ONNX Runtime's."""

import threading
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from realtime_avatar.models.store import ModelStore
from realtime_avatar.voice.byte_convolution import supported
from realtime_avatar.voice.delivery import FRAME
from realtime_avatar.voice.kokoro import find_voices
from realtime_avatar.voice.kokoro_generator import Generator, Task, fourier_basis, transformed
from realtime_avatar.voice.kokoro_model import DURATIONS, OnnxSynthesiser
from realtime_avatar.voice.onnx_output import with_int64_output
from realtime_avatar.voice.phonemes import vocabulary

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not supported(), reason="this processor has no AVX2"),
]
SYMBOLS = "ðə sˈʌn wˈɔɹmz ðə sˈi, ænd ðə wˈɔɾəɹ ɹˈIzᵻz æz vˈApəɹ."


def options() -> Any:
    return cast("Any", onnxruntime).RunOptions()


@pytest.fixture(scope="module")
def model() -> bytes:
    file = ModelStore().path("kokoro-82m") / "kokoro-82m-int8.onnx"
    return with_int64_output(file, DURATIONS)


@pytest.fixture(scope="module")
def inputs() -> dict[str, NDArray[Any]]:
    known = vocabulary()
    ids = [known[symbol] for symbol in SYMBOLS if symbol in known]
    voice = min(find_voices(ModelStore()).items())[1]
    pack = np.fromfile(voice, np.float32) if isinstance(voice, Path) else voice
    return {
        "tokens": np.array([[0, *ids, 0]], np.int64),
        "style": pack.reshape(510, 1, 256)[len(ids) - 1],
        "speed": np.ones(1, np.float32),
    }


def spectrum(wave: NDArray[np.float32]) -> NDArray[np.float64]:
    frames = wave[: len(wave) // 256 * 256].reshape(-1, 256) * np.hanning(256)
    return 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-2)


@pytest.mark.parametrize("threads", [1, 2])
def test_it_says_what_onnx_runtime_says(
    model: bytes, inputs: dict[str, NDArray[Any]], threads: int
) -> None:
    mine = Generator(model, DURATIONS, threads)
    try:
        ((wave, durations),) = mine.run(Task(inputs), options())
    finally:
        mine.close()
    ((reference, expected),) = OnnxSynthesiser(model, threads).run(Task(inputs), options())
    assert np.array_equal(durations, expected)
    assert wave.shape == reference.shape
    # Bytes of one go into sums that are bytes again, 48 times: a sample is not the same one.
    assert np.corrcoef(wave, reference)[0, 1] > 0.97
    assert np.sqrt(np.mean((spectrum(wave) - spectrum(reference)) ** 2)) < 3  # dB


def test_silence_around_what_is_said_is_left_out(
    model: bytes, inputs: dict[str, NDArray[Any]]
) -> None:
    mine = Generator(model, DURATIONS, 2)
    try:
        ((whole, all_of_it),) = mine.run(Task(inputs), options())
        symbols = inputs["tokens"].shape[1] - 2
        said = range(1, symbols)  # but for the full stop
        ((wave, durations),) = mine.run(Task(inputs, said), options())
    finally:
        mine.close()
    left_out = all_of_it - durations
    assert left_out[0, 0] > 0 < left_out[0, -3:].sum()
    assert not left_out[0, 1:-3].any()
    assert len(wave) == durations.sum() * FRAME < len(whole)
    begin = left_out[0, 0] * FRAME

    def envelope(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.abs(sound[: len(sound) // FRAME * FRAME]).reshape(-1, FRAME).max(axis=1)

    before, after = envelope(whole[begin : begin + len(wave)]), envelope(wave)
    assert np.corrcoef(before, after)[0, 1] > 0.95  # as long, and in the same place
    assert after[:2].max() < 0.02 > after[-2:].max()  # nothing of it is missing


def test_parts_by_the_voices_statistics_are_the_whole(
    model: bytes, inputs: dict[str, NDArray[Any]]
) -> None:
    cuts = [40, 75]

    def ends(_: NDArray[np.int64]) -> list[int]:
        return cuts

    mine = Generator(model, DURATIONS, 2)
    try:
        voice = mine.unknown()
        ((own, _),) = mine.run(Task(inputs, voice=voice, cuts=ends), options())  # not yet
        ((whole, _),) = mine.run(Task(inputs, voice=voice), options())
        parts = list(mine.run(Task(inputs, voice=voice, cuts=ends), options()))
    finally:
        mine.close()
    assert [len(wave) for wave, _ in parts] == [40 * FRAME, 75 * FRAME, len(whole)]
    joined = parts[-1][0]
    for wave, durations in parts:
        assert np.array_equal(wave, joined[: len(wave)])  # what was heard does not change
        assert durations.sum() * FRAME == len(whole)
    # The measured utterance by its own statistics; bytes have another scale in each part.
    assert np.corrcoef(own, whole)[0, 1] > 0.97
    assert np.corrcoef(joined, whole)[0, 1] > 0.97
    for cut in cuts:
        near = slice(cut * FRAME - 240, cut * FRAME + 240)
        assert np.corrcoef(joined[near], whole[near])[0, 1] > 0.9


def test_it_stops_between_two_blocks_and_goes_on_with_the_next(
    model: bytes, inputs: dict[str, NDArray[Any]]
) -> None:
    mine = Generator(model, DURATIONS, 2)
    try:
        run = options()
        start = mine._noise.run

        class Noise:
            """The moment when the blocks begin."""

            def run(self, *args: Any) -> Any:
                threading.Timer(0.05, lambda: setattr(run, "terminate", True)).start()
                return start(*args)

        kept, mine._noise = mine._noise, Noise()
        began = time.perf_counter()
        with pytest.raises(InterruptedError):
            list(mine.run(Task(inputs), run))
        stopped = time.perf_counter() - began
        mine._noise = kept
        began = time.perf_counter()
        ((wave, _),) = mine.run(Task(inputs), options())
        assert len(wave) > 24_000
        assert stopped < time.perf_counter() - began
    finally:
        mine.close()


def test_a_fourier_transform_is_onnx_runtimes_but_for_the_sign_of_nothing() -> None:
    rng = np.random.default_rng(0)
    wave, window = rng.normal(0, 1, 205).astype(np.float32), np.hanning(21)[:20]
    found = transformed(wave, fourier_basis(window), 5)
    frames = np.stack([wave[at : at + 20] * window for at in range(0, 186, 5)])
    truth = np.fft.rfft(frames, axis=1)
    assert found.shape == (1, 38, 11, 2)
    assert np.allclose(found[0, ..., 0] + 1j * found[0, ..., 1], truth, atol=1e-5)
    assert (found[0, :, (0, -1), 1] > 0).all()
