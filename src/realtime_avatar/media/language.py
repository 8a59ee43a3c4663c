"""Which language a text is in, by its script and its commonest words."""

import re
from collections.abc import Sequence
from typing import Final

UNSPACED: Final = frozenset({"ja", "lo", "my", "th", "yue", "zh"})
"""Languages that are written without spaces (ISO 639-1, or 639-3)."""

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_SPANISH = re.compile(
    r"[¿¡ñáéíóú]|\b(?:el|los|las|una|que|qué|por|para|con|está|son|muy|cómo|dónde|cuál|soy"
    r"|eres|tú|usted|hola|gracias|del|al|mi|es)\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(?:the|is|are|and|of|to|you|what|how|where|who|why|do|does|i|my|it|in|a|for|hello"
    r"|please|can)\b",
    re.IGNORECASE,
)


def guess_language(text: str, among: Sequence[str] = ("en", "zh", "es")) -> str:
    """Return the ISO 639-1 code of the text's language, the first of `among` when in doubt.

    One Han character weighs as much as an English word: a Chinese sentence that quotes an
    English name is Chinese.
    """
    words = len(re.findall(r"[^\W\d_\u3400-\u9fff]+", text))
    if "zh" in among and len(_HAN.findall(text)) > words:
        return "zh"
    spanish, english = len(_SPANISH.findall(text)), len(_ENGLISH.findall(text))
    if "es" in among and spanish > english:
        return "es"
    if "en" in among and english:
        return "en"
    return among[0]
