from typing import Any

import anyio
import numpy as np
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from realtime_avatar.dialogue import events
from realtime_avatar.media import Audio
from realtime_avatar.media.live import Beat
from realtime_avatar.server.watch import Watch
from realtime_avatar.telemetry.metrics import Metrics
from realtime_avatar.telemetry.traces import TurnSpans
from virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio
SECRET = "my password is swordfish"
STAGES = {"recognizer": 0.2, "end_of_turn": 0.25, "chat": 0.5, "voice": 0.7, "playout": 0.8}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


class Clock:
    now = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


def beat(index: int, *, picture: bool = True, speaking: bool = False) -> Beat:
    frame = np.zeros((2, 2, 3), np.uint8) if picture else None
    return Beat(index, Audio.silence(1920, 48_000, index * 1920), frame, speaking)


def figures(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.text().decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def turn(watch: Watch, number: int = 1, *, interrupted: bool = False) -> None:
    watch.event(events.Heard(turn=number, text=SECRET, final=True))
    watch.event(events.TurnTimings(turn=number, stages=STAGES))
    watch.event(events.Words(turn=number, text="I will keep it. "))
    watch.event(events.Finished(turn=number, heard="I will keep it.", interrupted=interrupted))


async def test_every_stage_of_a_turn_is_counted():
    metrics = Metrics()
    watch = Watch(metrics, None, 25, log_speech=False)
    turn(watch)
    turn(watch, 2, interrupted=True)
    found = figures(metrics)
    assert found['avatar_turn_stage_seconds_count{stage="chat"}'] == 2
    assert found['avatar_turn_stage_seconds_sum{stage="playout"}'] == pytest.approx(1.6)
    assert found['avatar_turns_total{how="whole"}'] == 1
    assert found['avatar_turns_total{how="interrupted"}'] == 1
    assert watch.turns == 2


@pytest.mark.parametrize("log_speech", [False, True])
async def test_logs_hold_what_was_said_only_if_asked_for(log_speech: bool):
    structlog.reset_defaults()
    watch = Watch(Metrics(), None, 25, log_speech=log_speech)
    with capture_logs() as logs:
        turn(watch)
    assert [log["event"] for log in logs] == ["asked", "answered"]
    assert logs[0]["turn"] == logs[1]["turn"] == 1
    assert logs[1]["playout_s"] == 0.8
    assert ("swordfish" in str(logs)) == log_speech
    assert ("keep it" in str(logs)) == log_speech


async def test_pictures_are_counted_and_compared_with_their_sound():
    metrics = Metrics()
    watch = Watch(metrics, None, 25, log_speech=False)
    for index in range(10):
        await anyio.sleep(0.04)
        if index == 5:
            await anyio.sleep(0.03)  # a stall
        watch.sounded(beat(index))
        if index in (7, 8):
            continue  # the encoder was behind
        await anyio.sleep(0.005)
        watch.showed(beat(index, picture=index != 3))
    found = figures(metrics)
    assert found['avatar_frames_total{what="sent"}'] == 7
    assert found['avatar_frames_total{what="held"}'] == 1
    assert found['avatar_frames_total{what="dropped"}'] == 2
    assert found["avatar_skew_seconds_count"] == 8
    assert found["avatar_skew_seconds_sum"] == pytest.approx(0.04)
    assert found["avatar_beat_late_seconds_count"] == 10


async def test_the_time_from_stop_to_silence_is_measured():
    metrics = Metrics()
    watch = Watch(metrics, None, 25, log_speech=False)
    watch.sounded(beat(0, speaking=True))
    watch.command(events.Stop())
    await anyio.sleep(0.04)
    watch.sounded(beat(1, speaking=True))
    await anyio.sleep(0.04)
    watch.sounded(beat(2))
    watch.sounded(beat(3))
    found = figures(metrics)
    assert found["avatar_stop_seconds_count"] == 1
    assert found["avatar_stop_seconds_sum"] == pytest.approx(0.08)


def spans() -> tuple[TurnSpans, Clock, InMemorySpanExporter]:
    exporter, provider, clock = InMemorySpanExporter(), TracerProvider(), Clock()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return TurnSpans("me", clock, provider.get_tracer("test")), clock, exporter


def seconds(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - Clock.now) / 1e9, (span.end_time - Clock.now) / 1e9


async def test_a_turn_is_a_span_and_its_stages_are_spans_in_it():
    turns, clock, exporter = spans()
    watch = Watch(Metrics(), turns, 25, log_speech=False)
    clock.wait(0.25)
    watch.event(events.Heard(turn=3, text="hello", final=True))
    clock.wait(0.55)
    watch.event(events.TurnTimings(turn=3, stages=STAGES))
    clock.wait(2)
    watch.event(events.Finished(turn=3, heard="hi", interrupted=True))
    found = {span.name: span for span in exporter.get_finished_spans()}
    whole = found.pop("turn")
    assert seconds(whole) == pytest.approx((0, 2.8))
    assert dict(whole.attributes or {}) == {
        "avatar.session": "me",
        "avatar.turn": 3,
        "avatar.interrupted": True,
    }
    assert {name: seconds(span)[1] for name, span in found.items()} == pytest.approx(STAGES)
    assert seconds(found["chat"])[0] == pytest.approx(0.25)
    assert all(span.parent and span.parent.span_id for span in found.values())
    assert "hello" not in str([span.to_json() for span in exporter.get_finished_spans()])


async def test_a_turn_of_which_nothing_was_heard_is_a_span_too():
    turns, clock, exporter = spans()
    watch = Watch(Metrics(), turns, 25, log_speech=False)
    watch.event(events.Heard(turn=1, text="hello", final=True))
    clock.wait(1)
    watch.event(events.Problem(message="the model fell over", stage="chat"))
    watch.event(events.Finished(turn=1, heard=""))
    (span,) = exporter.get_finished_spans()
    assert seconds(span) == pytest.approx((0, 1))
    assert span.status.description == "the model fell over"


async def test_the_end_of_a_session_ends_its_spans():
    turns, _, exporter = spans()
    watch = Watch(Metrics(), turns, 25, log_speech=False)
    watch.event(events.Heard(turn=1, text="hello", final=True))
    watch.event(events.TurnTimings(turn=1, stages=STAGES))
    watch.close()
    assert "turn" in [span.name for span in exporter.get_finished_spans()]
