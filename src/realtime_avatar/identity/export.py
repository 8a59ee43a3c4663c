"""A conversation as JSON, Markdown or subtitles."""

import json
import re
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from unicodedata import east_asian_width

from realtime_avatar.identity.conversations import Conversation, Heading, Turn, mapped

Format = Literal["json", "markdown", "srt"]
MEDIA: Final[dict[Format, tuple[str, str]]] = {
    "json": ("application/json", "json"),
    "markdown": ("text/markdown; charset=utf-8", "md"),
    "srt": ("application/x-subrip; charset=utf-8", "srt"),
}
"""Each format's media type and the ending of its files."""

# What subtitles are usually held to: two lines of 42 columns, for at least a second.
_LINE: Final = 42
_SHORTEST: Final = 1.0  # seconds
_FLASH: Final = 0.1  # seconds that a cue stays when somebody else speaks at once
_STOPS: Final = tuple(".!?…。！？")
_UNIT: Final = re.compile(r"\s*(?:[^\s\u3040-\u30ff\u3400-\u9fff]+|\S)\s*")


def export(conversation: Conversation, form: Format) -> str:
    """Return a conversation as a file's text.

    Args:
        conversation: Whole.
        form: JSON has all that is known; Markdown is for people; SRT has the times, too.
    """
    match form:
        case "json":
            return json.dumps(describe(conversation), ensure_ascii=False, indent=2) + "\n"
        case "markdown":
            return _markdown(conversation)
        case "srt":
            return _srt(conversation)


def describe(conversation: Heading) -> dict[str, Any]:
    """Return all that is known of a conversation but whose it is, for JSON."""
    plain = {name: value for name, value in asdict(conversation).items() if name != "owner"}
    return mapped(plain, lambda item: item.isoformat() if isinstance(item, datetime) else item)


def _markdown(conversation: Conversation) -> str:
    day = conversation.started.strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# Conversation with {_escape(conversation.name)}", "", day, ""]
    for turn in conversation.turns:
        lines += [f"**You** ({_clock(turn.began_s)}): {_escape(turn.said)}", ""]
        heard, cut = _escape(turn.heard), _escape(turn.unheard)
        if heard or cut:
            words = " ".join(filter(None, (heard, cut and f"~~{cut}~~")))
            at = _clock(turn.audible_s if turn.audible_s is not None else turn.asked_s)
            lines += [f"**{_escape(conversation.name)}** ({at}): {words}", ""]
        if turn.sources:
            named = dict.fromkeys(source["document"] for source in turn.sources)
            lines += [f"From {_escape(', '.join(named))}", ""]
        if note := _note(turn):
            lines += [f"*{_escape(note)}*", ""]
    return "\n".join(lines)


def _note(turn: Turn) -> str:
    if turn.problem:
        return turn.problem
    return "The answer was cut off." if turn.state in ("asked", "speaking") else ""


def _escape(text: str) -> str:
    """Return what was said as one paragraph that Markdown takes for words only."""
    for letter in "\\`*_[]<>#~|":
        text = text.replace(letter, "\\" + letter)
    return " ".join(text.split())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def _srt(conversation: Conversation) -> str:
    cues: list[_Cue] = []
    for turn in conversation.turns:
        end = max(turn.asked_s, turn.began_s + _SHORTEST)
        cues += _cues("You", [(turn.began_s, turn.said)], end)
        parts: list[tuple[float, str]] = []
        for at, part in turn.timeline:
            if part.strip():
                parts.append((at, part))
            elif parts:  # a space that has a time of its own
                parts[-1] = (parts[-1][0], parts[-1][1] + part)
        if parts:
            cues += _cues(conversation.name, parts, turn.ended_s or parts[-1][0] + _SHORTEST)
    following = [cue.start for cue in cues[1:]]
    blocks: list[str] = []
    for number, cue in enumerate(cues, 1):
        end = max(cue.end, cue.start + _SHORTEST)
        if number <= len(following):  # no two at once
            end = min(end, max(following[number - 1], cue.start + _FLASH))
        times = f"{_time(cue.start)} --> {_time(end)}"
        blocks.append(f"{number}\n{times}\n{_wrapped(cue.text)}\n")
    return "\n".join(blocks)


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    text: str


def _cues(who: str, parts: Sequence[tuple[float, str]], end: float) -> list[_Cue]:
    """Return the subtitles of one speech, cut after sentences where that is possible.

    Args:
        who: Speaks.
        parts: What is said, each part with the time when it begins, seconds.
        end: Of the speech, seconds.
    """
    cues: list[_Cue] = []
    start, text = parts[0][0], f"{who}: "
    for at, unit in [*_units(parts, end), (end, "")]:
        lines = _wrapped(" ".join((text + unit).split())).splitlines()
        full = max(map(_width, lines)) > _LINE
        whole = text.rstrip().endswith(_STOPS) and _width(text) >= _LINE
        if text.strip() and (full or whole or not unit):
            cues.append(_Cue(start, at, " ".join(text.split())))
            start, text = at, ""
        text += unit
    return cues


def _units(parts: Sequence[tuple[float, str]], end: float) -> Generator[tuple[float, str]]:
    """Yield words, or characters where no spaces are written, each with its time."""
    for number, (at, part) in enumerate(parts):
        until = parts[number + 1][0] if number + 1 < len(parts) else end
        for match in _UNIT.finditer(part):
            yield at + (until - at) * match.start() / len(part), match[0]


def _wrapped(text: str) -> str:
    """Return a cue's text on two lines, if it is longer than one."""
    if _width(text) <= _LINE:
        return text
    cuts = [at for at in range(1, len(text)) if text[at] == " " or _width(text[at - 1]) > 1]
    fits = [at for at in cuts if max(_width(text[:at]), _width(text[at:].strip())) <= _LINE]
    middle = min(
        fits or cuts or [len(text)], key=lambda at: abs(2 * _width(text[:at]) - _width(text))
    )
    return f"{text[:middle].rstrip()}\n{text[middle:].lstrip()}".rstrip()


def _width(text: str) -> int:
    """Return the columns of a text: Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
