from pathlib import Path
from typing import Any, cast

import numpy as np
from hibari.voices import voice_path
from numpy.typing import NDArray

from realtime_avatar.engines.runtime import onnx_session
from realtime_avatar.voice.onnx_output import with_int64_output


def test_durations_become_an_output_and_the_rest_stays():
    file = Path(str(voice_path("heart", download_missing=False)))
    plain, longer = onnx_session(file), onnx_session(with_int64_output(file, "/Cast_32_output_0"))
    names = [output.name for output in plain.get_outputs()]
    assert [output.name for output in longer.get_outputs()] == [*names, "/Cast_32_output_0"]
    given = {"ids": np.array([[0, 50, 83, 54, 31, 4, 0]], np.int64), "speed": np.ones(1, "f4")}
    *parts, durations = cast("list[NDArray[Any]]", longer.run(None, given))
    others = cast("list[NDArray[Any]]", plain.run(None, given))
    for part, other in zip(parts, others, strict=True):
        assert np.array_equal(part, other)
    assert durations.dtype == np.int64
    assert durations.shape == (7,)
    assert durations.sum() * 2 == parts[0].shape[2]  # two frames of 12.5 ms each
