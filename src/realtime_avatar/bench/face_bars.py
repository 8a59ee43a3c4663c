"""What is asked of the face, beside what `bench.face` measured."""

from collections.abc import Iterator
from typing import Any, Final

from realtime_avatar.bench.bar import Bar

MIB: Final = 2**20
CLOSED: Final = 0.02
"""Widest gap between lips that count as closed, distances between the outer eye corners."""

_NETWORK: Final = {
    "jawOpen": 0.92, "lower lip": 0.85, "pucker": 0.78, "mouthClose": 0.72, "mouthPress": 0.68,
}  # fmt: skip
_SEEN: Final = {"jawOpen": 0.85, "lower lip": 0.70, "pucker": 0.55}


def bars(report: dict[str, Any]) -> list[Bar]:
    """Return every bar for which the report holds a figure."""
    return [*_of_sound(report), *_of_pictures(report)]


def _of_sound(report: dict[str, Any]) -> Iterator[Bar]:
    for name, least in _NETWORK.items() if "network" in report else ():
        yield Bar(f"network on held-out clips: {name}, r", report["network"][name]["r"], least)
    voices: dict[str, Any] = report["voices"]
    if labels := report.get("labels"):
        shares = [voice["sd"] / labels["sd"] for voice in voices.values()]
        yield Bar("other voices: sd of jawOpen over the labels', least", min(shares), 0.7)
        yield Bar("other voices: sd of jawOpen over the labels', most", max(shares), most=1.3)
    told = [voice["told"] for voice in voices.values() if "told" in voice]
    alone = [voice["alone"] for voice in voices.values() if "alone" in voice]
    if told:
        yield Bar("lips meet at m, b, p, phonemes told, worst voice", min(told), 0.9)
        yield Bar("lips meet at m, b, p, sound alone, worst voice", min(alone), 0.9)
    yield Bar("silence: jawOpen", report["silence"], most=0.03)


def _of_pictures(report: dict[str, Any]) -> Iterator[Bar]:
    portraits: list[dict[str, Any]] = list(report["portraits"].values())
    if not portraits:
        return
    if "by_sound" in portraits[0]:
        by_sound = [portrait["by_sound"] for portrait in portraits]
        for name, least in _SEEN.items():
            worst = min(seen["units"][name]["r"] for seen in by_sound)
            yield Bar(f"seen on the avatar: {name}, r", worst, least)
        yield Bar("clips in step within a frame", min(s["in_step"] for s in by_sound), 0.95)
        fastest: dict[str, float] = report["labels"]["fastest"]
        for name in ("jawOpen", "lower lip"):
            share = max(seen["speed"][name] for seen in by_sound) / fastest[name]
            yield Bar(f"fastest 1% of {name} over the recordings'", share, most=1.0)
    yield Bar("steps of the rest of the face, eyes", max(p["step"] for p in portraits), most=0.015)
    if all("closures" in portrait for portrait in portraits):
        worst = min(portrait["closures"]["closed"] for portrait in portraits)
        yield Bar("lips closed in the pictures at m, b, p", worst, 0.9)
    yield Bar("silence: lips move, eyes", max(p["silence"] for p in portraits), most=0.005)
    if all("identity" in portrait for portrait in portraits):
        for key, most in (("median", 0.25), ("p95", 0.40)):
            worst = max(portrait["identity"][key] for portrait in portraits)
            yield Bar(f"distance of the face from the portrait, {key}", worst, most=most)
    for side, most in (("512", 8), ("1024", 25)):
        worst = max(portrait["cost"][side]["frame"] for portrait in portraits)
        yield Bar(f"ms a frame at {side}x{side}", worst, most=most)
    costs = [portrait["cost"]["512"] for portrait in portraits]
    yield Bar("enrolment, s", max(cost["enrolment"] for cost in costs), most=5)
    added = max(cost["memory"] - cost["before"] for cost in costs) / MIB
    yield Bar("memory at 512x512, MiB", added, most=200)
