"""Which engines the contract suite runs, with options that keep it quick."""

from typing import Any

from realtime_avatar.engines.registry import Kind

ENGINES: dict[Kind, list[tuple[str, dict[str, Any]]]] = {
    "detector": [("fake", {}), ("silero", {})],
    "recognizer": [("fake", {}), ("whisper", {})],
    "endpointer": [("fake", {}), ("smart-turn", {})],
    "chat": [
        ("fake", {}),
        ("llama", {"model": "smollm2-135m"}),
        ("scripted", {"replies": ["Paris is.", "That is all I know."]}),
    ],
    "voice": [("fake", {}), ("hibari", {}), ("kokoro", {})],
    "face": [("fake", {}), ("photo", {})],
}
