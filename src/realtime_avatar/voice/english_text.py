"""English as written -> as spoken.

hibari's own normaliser reads dates, times, units, titles and plain numbers; here is only
what it leaves out or gets wrong.
"""

import re
from typing import Final

from realtime_avatar.voice.rewrite import Rewriter

_NUMBER: Final = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MONEY: Final = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_BIG: Final = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
_BIG_WORDS: Final = "hundred|thousand|million|billion|trillion"
_UNITS: Final = {
    "m": "meters",
    "g": "grams",
    "L": "liters",
    "l": "liters",
    "ml": "milliliters",
    "mL": "milliliters",
    "ms": "milliseconds",
    "W": "watts",
    "V": "volts",
}


def _money(found: re.Match[str]) -> str:
    one, many, cent, cents = _MONEY[found["sign"]]
    amount, big = found["amount"].replace(",", ""), found["big"]
    if found["to"]:
        return f"{amount} to {found['to']} {many}"
    if big:
        return f"{amount} {_BIG.get(big.lower(), big)} {many}"
    whole, _, part = amount.partition(".")
    if len(part) != 2 or not cent:
        return f"{amount} {one if amount == '1' else many}"
    said = [f"{whole} {one if whole == '1' else many}"] if int(whole) else []
    if int(part):
        said.append(f"{int(part)} {cent if int(part) == 1 else cents}")
    return " and ".join(said) or f"0 {many}"


def _amount_first(found: re.Match[str]) -> str:
    one, many = _MONEY[found["sign"]][:2]
    return f"{found['amount']} {one if found['amount'] == '1' else many}"


def _unit(found: re.Match[str]) -> str:
    unit = _UNITS[found[2]]
    return f"{found[1]} {unit[:-1] if found[1] == '1' else unit}"


def _dotted(found: re.Match[str]) -> str:
    return " point ".join(found[0].split("."))


_REWRITE: Final = Rewriter(
    (r"[\u00a0\u2007\u202f]", " "),
    (r"\d[\d,]{15,}", lambda found: " ".join(found[0].replace(",", ""))),  # no number's name
    (r"\be\.\s?g\.,?", "for example,"),
    (r"\bi\.\s?e\.,?", "that is,"),
    (r"\betc\.(?=\s+[a-z(])|\betc\b\.?(?=[,;:!?)])", "et cetera"),
    (r"\betc\.", "et cetera."),
    (r"\b[Nn]o\.\s?(?=\d)", "number "),
    (r"\b24/7\b", "twenty-four seven"),
    (r"\b[cC]#", "C sharp"),
    (r"\b([A-Z])&([A-Z])\b", r"\1 and \2"),
    (
        rf"(?P<sign>[$€£¥₹])\s?(?P<amount>{_NUMBER})(?:\s?[-–]\s?[$€£¥₹]?(?P<to>{_NUMBER}))?"
        rf"(?:\s?(?P<big>{_BIG_WORDS}|(?:[kKmMbB]|[mbt]n)\b))?",
        _money,
    ),
    (rf"(?P<amount>{_NUMBER})\s?(?P<sign>[$€£¥₹])", _amount_first),
    (r"\b(\d+(?:\.\d+)?)[kK]\b", r"\1 thousand"),
    (r"\b(\d+(?:\.\d+)?)M\b", r"\1 million"),
    (r"\b(\d+(?:\.\d+)?)(?:B|bn)\b", r"\1 billion"),
    (r"\b(\d+(?:\.\d+)?)\s?(m|g|L|l|ml|mL|ms|W|V)\b(?![.'’/]\w)", _unit),
    (r"\b(\d+)x\b", r"\1 times"),
    (r"(\d)\s?[-–]\s?(\d+(?:\.\d+)?)\s?%", r"\1 to \2 percent"),
    (r"\b\d+(?:\.\d+){2,}\b", _dotted),
    (r"~\s?(?=\d)", "about "),
    (r"\b(\d{1,2}):(\d)\b", r"\1 to \2"),
    (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
    (r"≈", " is about "),
    (r"≤", " is at most "),
    (r"≥", " is at least "),
    (r"≠", " is not "),
    (r"\s&\s", " and "),
    (r"\\", " backslash "),
)


def spoken(text: str) -> str:
    """Return `text` with what hibari's normaliser does not read put into words."""
    return _REWRITE(text)
