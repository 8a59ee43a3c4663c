"""A span for every turn, with one for each of its stages, by OpenTelemetry."""

import time
from collections.abc import Callable

from opentelemetry.trace import Span, Status, StatusCode, Tracer, get_tracer, set_span_in_context

from realtime_avatar import __version__


class TurnSpans:
    """The spans of one session's turns.

    Where they go is for OpenTelemetry's own set-up to say (`opentelemetry-instrument`, or
    its environment variables); without one they go nowhere.

    Args:
        session: Its id.
        clock: Nanoseconds since 1970, which is what spans count in.
        tracer: OpenTelemetry's global one if not given.
    """

    def __init__(
        self,
        session: str,
        clock: Callable[[], int] = time.time_ns,
        tracer: Tracer | None = None,
    ) -> None:
        self._session, self._clock = session, clock
        self._tracer = tracer or get_tracer("realtime_avatar", __version__)
        self._asked: dict[int, int] = {}
        self._open: dict[int, Span] = {}

    def asked(self, turn: int) -> None:
        """Note that the person has finished."""
        self._asked[turn] = self._clock()

    def audible(self, turn: int, stages: dict[str, float]) -> None:
        """Note that the answer begins to be heard.

        Args:
            turn: Its number.
            stages: Seconds from the person's last sound to each stage's first result; the
                greatest of them is now.
        """
        start = self._clock() - _nanoseconds(max(stages.values(), default=0.0))
        span = self._span(turn, start)
        before, context = start, set_span_in_context(span)
        for name, seconds in sorted(stages.items(), key=lambda item: item[1]):
            end = start + _nanoseconds(seconds)
            self._tracer.start_span(name, context, start_time=before).end(end)
            before = end

    def finished(self, turn: int, *, interrupted: bool, problem: str = "") -> None:
        """Note the end of a turn, whether anything of it was heard or not."""
        asked = self._asked.pop(turn, None)
        span = self._open.get(turn) or self._span(turn, asked or self._clock())
        del self._open[turn]
        span.set_attribute("avatar.interrupted", interrupted)
        if problem:
            span.set_status(Status(StatusCode.ERROR, problem))
        span.end(self._clock())

    def close(self) -> None:
        """End what the session's end has cut off."""
        for turn in list(self._open):
            self.finished(turn, interrupted=True)

    def _span(self, turn: int, start: int) -> Span:
        attributes: dict[str, str | int] = {"avatar.session": self._session, "avatar.turn": turn}
        span = self._tracer.start_span("turn", start_time=start, attributes=attributes)
        self._open[turn] = span
        return span


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
