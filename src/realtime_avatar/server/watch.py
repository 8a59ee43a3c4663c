"""What is measured, logged and traced of one call."""

from collections import deque

import structlog
from anyio import current_time

from realtime_avatar.dialogue import events
from realtime_avatar.media.live import Beat
from realtime_avatar.telemetry.metrics import Metrics
from realtime_avatar.telemetry.traces import TurnSpans

_BEATS = 16  # whose sound's time is kept until their picture has left


class Watch:
    """Sees all that goes to and comes from one person.

    Args:
        metrics: The server's.
        spans: The session's; None if no spans are wanted.
        fps: Beats a second.
        log_speech: Whether what is said may be logged.

    Attributes:
        active: When the person last said or did something, or was answered.
        seen: When there last was a sign of life of the page; None before the first.
        turns: How many have ended.
    """

    def __init__(
        self, metrics: Metrics, spans: TurnSpans | None, fps: int, *, log_speech: bool
    ) -> None:
        self._metrics, self._spans, self._fps = metrics, spans, fps
        self._log, self._log_speech = structlog.stdlib.get_logger("realtime_avatar"), log_speech
        self.active = current_time()
        self.seen: float | None = None
        self.turns = 0
        self._origin: float | None = None  # when the clock started, as far as is known
        self._sounded: deque[tuple[int, float]] = deque(maxlen=_BEATS)
        self._shown: int | None = None
        self._stopped: float | None = None
        self._stages: dict[str, float] = {}
        self._problem = ""

    def alive(self) -> None:
        """See a sign of life: reports, or data that is taken."""
        self.seen = current_time()

    def command(self, command: events.Command) -> None:
        """See a command of the page."""
        self.active = current_time()
        if isinstance(command, events.Stop):
            self._stopped = self.active

    def event(self, event: events.Event) -> None:
        """See an event for the page."""
        match event:
            case events.Heard(text=text, final=final, turn=turn):
                self.active = current_time()
                if final and text:
                    self._asked(turn, text)
            case events.Words():
                self.active = current_time()
            case events.TurnTimings(stages=stages, turn=turn):
                self._stages = stages
                for name, seconds in stages.items():
                    self._metrics.stage.labels(name).observe(seconds)
                if self._spans:
                    self._spans.audible(turn, stages)
            case events.Finished():
                self._finished(event)
            case events.Problem(message=message, stage=stage):
                self._problem = message
                self._metrics.problems.labels(stage or "none").inc()
                self._log.warning("problem", message=message, stage=stage)
            case _:
                pass

    def sounded(self, beat: Beat) -> None:
        """See a beat's sound leave."""
        now = current_time()
        due = now - beat.index / self._fps
        self._origin = due if self._origin is None else min(self._origin, due)
        self._metrics.beat_late.observe(due - self._origin)
        self._sounded.append((beat.index, now))
        if self._stopped is not None and not beat.speaking:
            self._metrics.silence.observe(now - self._stopped)
            self._stopped = None

    def showed(self, beat: Beat) -> None:
        """See a beat's picture leave."""
        now = current_time()
        self._metrics.frames.labels("held" if beat.frame is None else "sent").inc()
        if self._shown is not None:
            self._metrics.frames.labels("dropped").inc(max(0, beat.index - self._shown - 1))
        self._shown = beat.index
        for index, time in self._sounded:
            if index == beat.index:
                self._metrics.skew.observe(max(0.0, now - time))

    def close(self) -> None:
        """See the end."""
        if self._spans:
            self._spans.close()

    def _asked(self, turn: int, text: str) -> None:
        if self._spans:
            self._spans.asked(turn)
        said = {"text": text} if self._log_speech else {}
        self._log.info("asked", turn=turn, characters=len(text), **said)

    def _finished(self, event: events.Finished) -> None:
        self.turns += 1
        self._metrics.turns.labels("interrupted" if event.interrupted else "whole").inc()
        if self._spans:
            self._spans.finished(event.turn, interrupted=event.interrupted, problem=self._problem)
        said = {"heard": event.heard, "unheard": event.unheard} if self._log_speech else {}
        self._log.info(
            "answered",
            turn=event.turn,
            characters=len(event.heard),
            interrupted=event.interrupted,
            **{f"{name}_s": round(seconds, 3) for name, seconds in self._stages.items()},
            **said,
        )
        self._stages, self._problem = {}, ""
