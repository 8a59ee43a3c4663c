"""Servers of their own process, with engines that need no weights."""

FAKES = {
    **{f"AVATAR_{kind}": "fake" for kind in ("DETECTOR", "RECOGNIZER", "ENDPOINTER")},
    **{f"AVATAR_{kind}": "fake" for kind in ("CHAT", "FACE")},
    "AVATAR_VOICE": '{"en": "fake", "zh": "fake", "es": "fake"}',
}
"""Settings in the environment."""
