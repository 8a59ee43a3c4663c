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


_CODES: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_DAYS: Final = r"(?:Mon|Tues?|Wed|Thur?s?|Fri|Sat|Sun)\b\.?"


_SQUARES: Final = {
    "m": "meters", "km": "kilometers", "cm": "centimeters", "mm": "millimeters",
    "ft": "feet", "mi": "miles",
}  # fmt: skip


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


def _apart(found: re.Match[str]) -> str:
    """Return digits that are no number, one by one."""
    return " ".join(re.findall(r"\d", found[0]))


def _telephone(found: re.Match[str]) -> str:
    plus = f"plus {found['land']}, " if found["land"] else ""
    return plus + ", ".join(" ".join(found[part]) for part in ("area", "first", "rest"))


def _feet(found: re.Match[str]) -> str:
    feet = f"{found[1]} foot" if found[2] or found[1] == "1" else f"{found[1]} feet"
    return f"{feet} {found[2]}" if found[2] else feet


def _dotted(found: re.Match[str]) -> str:
    return " point ".join(found[0].split("."))


_REWRITE: Final = Rewriter(
    (r"[\u00a0\u2007\u202f]", " "),
    (r"\d[\d,]{15,}", lambda found: " ".join(found[0].replace(",", ""))),  # no number's name
    (
        r"(?<![\w.])(?:\+(?P<land>\d{1,3})[ -]?)?\(?(?P<area>\d{3})\)?[ -]"
        r"(?P<first>\d{3})[ -](?P<rest>\d{4})\b",
        _telephone,
    ),
    (r"(?<![\d.:,/-])\b0\d{2,}\b(?![:/-]\d)", _apart),
    (r"\b(\d{1,2})['’′]\s?(\d{1,2})(?:[\"”″]|'')", _feet),
    (r"\b(\d{1,2})['′](?=\s)()", _feet),
    (r"(?<=\d:\d\d)\s?[-–]\s?(?=\d{1,2}:\d\d)", " to "),
    (rf"\b({_DAYS})\s?[-–]\s?(?={_DAYS})", r"\1 to "),
    (
        r"(\d)\s?(m|km|cm|mm|ft|mi)(?:²|\^2)",
        lambda found: f"{found[1]} square {_SQUARES[found[2]]}",
    ),
    (r"\b(\d+) 1/2\b", r"\1 and a half"),
    (r"\b(50)/50\b", "fifty-fifty"),
    (r"(?<=\d) - (?=\d)|(?<=\d)\s?−\s?(?=\d)|(?<=\d)-(?=\d+\s?=)", " minus "),
    (r"(?<=\d) [/÷] (?=\d)", " divided by "),
    (r"(?<=\d)\s?[x×]\s?(?=\d)", " times "),
    (r"(?<=\d),(?=\d{1,2}(?!\d))", ", "),
    (rf"\b({'|'.join(_CODES)})\s?(?=\d)", lambda found: _CODES[found[1]]),
    (rf"({_NUMBER})\s?({'|'.join(_CODES)})\b", lambda found: _CODES[found[2]] + found[1]),
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
