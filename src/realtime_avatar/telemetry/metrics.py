"""What Prometheus is told."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_TURN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
_MILLISECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """The figures of one server; each says in its help text what it means."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.sessions = Gauge("avatar_sessions", "Conversations that are open.", registry=registry)
        self.places = Gauge(
            "avatar_session_places", "Conversations that may be open at once.", registry=registry
        )
        self.ended = Counter(
            "avatar_sessions_ended",
            "Conversations that ended, and how.",
            ["how"],
            registry=registry,
        )
        self.refused = Counter(
            "avatar_sessions_refused",
            "Conversations refused because all places were taken.",
            registry=registry,
        )
        self.turns = Counter(
            "avatar_turns",
            "Turns of the avatar, and whether they were cut off.",
            ["how"],
            registry=registry,
        )
        self.stage = Histogram(
            "avatar_turn_stage_seconds",
            "From the person's last sound to a stage's first result; playout is the first sound.",
            ["stage"],
            buckets=_TURN,
            registry=registry,
        )
        self.problems = Counter(
            "avatar_problems",
            "Problems that somebody was told of, by stage.",
            ["stage"],
            registry=registry,
        )
        self.silence = Histogram(
            "avatar_stop_seconds",
            "From being told to stop to the last beat of speech.",
            buckets=_MILLISECONDS,
            registry=registry,
        )
        self.beat_late = Histogram(
            "avatar_beat_late_seconds",
            "How late a picture left, after its beat was due.",
            buckets=_MILLISECONDS,
            registry=registry,
        )
        self.skew = Histogram(
            "avatar_skew_seconds",
            "How much later a picture left than its sound.",
            buckets=_MILLISECONDS,
            registry=registry,
        )
        self.frames = Counter(
            "avatar_frames",
            "Pictures sent (25 a second), held (no new one was there)"
            " and dropped (the line or the encoder was behind).",
            ["what"],
            registry=registry,
        )
        self._queues = Gauge(
            "avatar_queue_items", "Items that wait in a queue.", ["queue"], registry=registry
        )

    def watch_queue(self, name: str, items: Callable[[], int]) -> None:
        """Ask for a queue's length whenever somebody reads the metrics."""
        self._queues.labels(name).set_function(items)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)
