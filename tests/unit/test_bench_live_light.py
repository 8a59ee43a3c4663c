import socket

import numpy as np
import pytest
from anyio import current_time

from realtime_avatar.bench.live import bundled_questions
from realtime_avatar.bench.live_light import PACKET, Microphone, Person
from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_question import RATE, levels, read_question
from realtime_avatar.errors import EngineError
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return VIRTUAL_TIME


async def test_a_microphone_sends_what_was_spoken_once_it_has_been():
    question, microphone = read_question(bundled_questions()[0]), Microphone(1)
    begun = current_time()
    sound: list[np.ndarray] = []
    times: list[float] = []
    first = last = 0.0
    for number in range(200):
        if number == 10:
            first, last = microphone.speak(question)
        frame = await microphone.recv()
        assert (frame.pts, frame.sample_rate, frame.samples) == (number * PACKET, RATE, PACKET)
        times.append(current_time() - begun)
        sound.append(frame.to_ndarray()[0])
    assert times == pytest.approx([(number + 1) * PACKET / RATE for number in range(200)])
    level = levels(np.concatenate(sound))
    loud = np.flatnonzero(level > 0.005) * 0.005 + begun
    assert loud[0] == pytest.approx(first, abs=0.03)
    assert loud[-1] == pytest.approx(last, abs=0.05)
    assert level[:10].max() < 1e-3, "a room, before anybody speaks"
    assert level[:10].min() > 0


async def test_a_server_that_is_not_there_is_an_error_in_words():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(EngineError, match="does not answer"):
            await Person(Plan(url, (str(bundled_questions()[0]),), 1)).converse()
