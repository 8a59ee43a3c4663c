"""What is written -> what is spoken: markup, addresses, then each language's numbers."""

import re
from collections.abc import Callable
from typing import Final

from realtime_avatar.voice import chinese_text, english_text, spanish_text
from realtime_avatar.voice.markup import plain

_NAMES: Final[dict[str, dict[str, str]]] = {
    "en": {".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon"},
    "es": {".": "punto", "/": "barra", "-": "guion", "_": "guion bajo", "@": "arroba",
           ":": "dos puntos"},
    "zh": {".": "点", "/": "斜杠", "-": "杠", "_": "下划线", "@": "艾特", ":": "冒号"},
}  # fmt: skip
_DOMAINS: Final = (
    "com|org|net|edu|gov|info|io|ai|dev|app|tv|me|co|uk|us|eu|es|mx|ar|cl|cn|tw|hk|jp|de|fr|it|ch"
)
_FILES: Final = "py|js|ts|md|txt|json|csv|pdf|png|jpg|jpeg|gif|mp3|mp4|wav|html|toml|yaml|zip|exe"
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+"
_TAIL: Final = r"(?::\d+)?(?:/[\w%.~+=&#?/:@-]*)?"
_ADDRESS: Final = re.compile(
    rf"https?://[\w.-]+{_TAIL}"
    rf"|[\w.+-]+@{_HOST}[A-Za-z]{{2,}}"
    rf"|(?<![\w@.]){_HOST}(?:{_DOMAINS})(?![\w-]|\.\w){_TAIL}"
    rf"|(?<![\w@.])[\w-]+\.(?:{_FILES})(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_LONG_PATH: Final = 40  # characters: longer ones are for clicking, not for saying

_WRITTEN: Final[dict[str, Callable[[str], str]]] = {
    "en": english_text.spoken,
    "es": spanish_text.spoken,
    "zh": chinese_text.spoken,
}


def readable(text: str, language: str) -> str:
    """Return the text without markup and emoji, its addresses in words.

    Args:
        text: A clause, as it was written.
        language: "en", "es" or "zh"; of the words between the parts of an address.
    """
    return _ADDRESS.sub(lambda found: _address(found[0], _NAMES[language]), plain(text))


def spoken(text: str, language: str) -> str:
    """Return text of one language with its numbers and abbreviations in words.

    Args:
        text: What `readable` returned, or a part of it.
        language: "en", "es" or "zh".
    """
    return re.sub(r"\s+", " ", _WRITTEN[language](text)).strip()


def _address(address: str, names: dict[str, str]) -> str:
    stop = re.search(r"[.,:;!?]*$", address)
    end = address[stop.start() :] if stop else ""
    address = address[: len(address) - len(end)]
    address = re.sub(r"^https?://(?:www\.)?|^www\.|[?#].*$|/+$", "", address, flags=re.IGNORECASE)
    host, slash, path = address.partition("/")
    if len(path) > _LONG_PATH:
        slash = path = ""
    parts: list[str] = re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", host + slash + path)
    words = [names.get(part, part) for part in parts]
    # A country's or a short domain is spelt: "dot U K".
    if len(words) > 1 and re.fullmatch(r"[a-z]{2}", words[-1]) and not path:
        words[-1] = " ".join(words[-1].upper()) if words[-1] not in ("me", "es") else words[-1]
    return " ".join(words) + end
