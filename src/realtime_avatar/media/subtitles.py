"""Words with their times, as subtitles."""

from collections.abc import Iterable

Line = tuple[float, float, str]
"""When words begin and end, seconds, and the words."""


def srt(lines: Iterable[Line]) -> str:
    """Return lines as SubRip."""
    return "\n".join(
        f"{number}\n{_time(start, ',')} --> {_time(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(lines, 1)
    )


def vtt(lines: Iterable[Line]) -> str:
    """Return lines as WebVTT."""
    return "WEBVTT\n\n" + "\n".join(
        f"{_time(start, '.')} --> {_time(end, '.')}\n{text}\n" for start, end, text in lines
    )


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
