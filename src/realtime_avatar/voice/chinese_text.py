"""Chinese as written -> as spoken (Mandarin, simplified characters in what is added).

Numbers are read by cn2an; which reading a number wants (a year digit by digit, a time, an
amount, a telephone number, 两 before a measure word) is decided here.
"""

import re
from collections.abc import Callable
from functools import cache
from string import ascii_letters, digits
from typing import Final

from realtime_avatar.voice.rewrite import Rewriter

_WIDE: Final = {ord(char) + 0xFEE0: char for char in f"{digits}{ascii_letters}%."}
_DIGITS: Final = "零一二三四五六七八九"
_NUMBER: Final = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_MONEY: Final = {
    "$": "美元",
    "US$": "美元",
    "¥": "元",
    "￥": "元",
    "€": "欧元",
    "£": "英镑",
    "HK$": "港元",
}
_CODES: Final = {
    "USD": "US$", "EUR": "€", "GBP": "£", "CNY": "¥", "RMB": "¥", "HKD": "HK$",
}  # fmt: skip
_UNITS: Final = {
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "km": "公里",
    "cm": "厘米",
    "mm": "毫米",
    "m": "米",
    "kg": "公斤",
    "mg": "毫克",
    "g": "克",
    "ml": "毫升",
    "mL": "毫升",
    "L": "升",
    "l": "升",
    "m²": "平方米",
    "㎡": "平方米",
    "km²": "平方公里",
    "°C": "度",
    "℃": "度",
    "°F": "华氏度",
    "°": "度",
    "kWh": "度电",
    "kW": "千瓦",
    "W": "瓦",
    "Hz": "赫兹",
    "GHz": "吉赫兹",
    "s": "秒",
    "ms": "毫秒",
    "min": "分钟",
    "h": "小时",
}
_MEASURES: Final = (
    "个只位天年次本张条件家间杯瓶块元份种头匹座栋辆台部双对口句岁万亿周点小时分钟秒百千公斤里米"
    "遍场回堂段层篇首"
)
_SIGNS: Final = {
    "+": "加",
    "=": "等于",
    "×": "乘以",
    "*": "乘以",
    "÷": "除以",
    "<": "小于",
    ">": "大于",
    "≈": "约等于",
    "≤": "小于等于",
    "≥": "大于等于",
}


@cache
def _an2cn() -> Callable[..., str]:
    from cn2an import an2cn

    return an2cn


def _digits(number: str, one: str = "一") -> str:
    return "".join(one if digit == "1" else _DIGITS[int(digit)] for digit in number)


def _value(number: str) -> str:
    """Return a number as a quantity: 1,250.5 -> 一千二百五十点五."""
    whole, _, part = number.replace(",", "").partition(".")
    if (len(whole) > 1 and whole.startswith("0")) or len(whole) > 16:
        said = _digits(whole)
    else:
        said = _an2cn()(whole, "low")
        said = re.sub(r"^二(?=[千万亿])|(?<=[万亿])二(?=千)", "两", said)
    return f"{said}点{_digits(part)}" if part else said


def _date(found: re.Match[str]) -> str:
    year, month, day = found["y"], int(found["m"]), int(found["d"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    return f"{_digits(year)}年{_value(str(month))}月{_value(str(day))}日"


def _time(found: re.Match[str]) -> str:
    hour, minute, second = int(found["h"]), int(found["m"]), found["s"]
    if hour > 24 or minute > 59:
        return f"{_value(found['h'])}比{_value(found['m'])}"
    said = ("两" if hour == 2 else _value(str(hour))) + "点"
    if second:
        return f"{said}{_value(str(minute))}分{_value(str(int(second)))}秒"
    if minute == 30:
        return said + "半"
    zero = "零" if 0 < minute < 10 else ""
    return f"{said}{zero}{_value(str(minute))}分" if minute else said + "整"


def _money(found: re.Match[str]) -> str:
    return f"{_value(found['amount'])}{found['big'] or ''}{_MONEY[found['sign']]}"


def _unit(found: re.Match[str]) -> str:
    unit = _UNITS[found["unit"]]
    sign = found["minus"] and ("零下" if unit.endswith("度") and "电" not in unit else "负")
    number = "两" if found["number"] == "2" and unit != "度电" else _value(found["number"])
    return (sign or "") + number + unit


def _quantity(found: re.Match[str]) -> str:
    number = found["number"]
    after = found.string[found.end() : found.end() + 2]
    if number == "2" and after and after[0] in _MEASURES and after != "年级":
        return "两"
    return _value(number)


def _scaled(found: re.Match[str]) -> str:
    mark = "百" if found["sign"] == "%" else "千"
    to = f"到{_value(found['to'])}" if found["to"] else ""
    minus = "负" if found["minus"] else ""
    whole = found["sign"] == "%" and found["number"] == "100" and not to
    return f"{mark}分之{minus}{'百' if whole else _value(found['number'])}{to}"


def _years(found: re.Match[str]) -> str:
    return f"{_digits(found[1])}到{_digits(found[2])}"


def _divided(found: re.Match[str]) -> str:
    above, below = found[1], found[2]
    if int(above) >= int(below):
        return f"{_value(above)}除以{_value(below)}"
    return f"{_value(below)}分之{_value(above)}"


_REWRITE: Final = Rewriter(
    (r"(?P<y>\d{4})(?P<by>[-/.])(?P<m>\d{1,2})(?P=by)(?P<d>\d{1,2})(?!\d)", _date),
    (r"(?<!\d)([12]\d{3})\s?[-–—~～至到]\s?([12]\d{3})(?=\s?年|[^\d\s\w]|$)", _years),
    (r"\d{4}(?=\s?年)", lambda found: _digits(found[0])),
    (r"(?<=[:：]\d\d)\s?[-–—~～]\s?(?=\d{1,2}[:：]\d\d)", "到"),
    (
        r"(?<![\d:])(?P<h>\d{1,2})[:：](?P<m>\d{2})(?:[:：](?P<s>\d{2}))?(?![\d:])",
        _time,
    ),
    (r"(?<![A-Za-z])([Cc])#", r"\1井"),
    (r"(?<![A-Za-z])([Cc])\+\+", r"\1加加"),
    (rf"(?<![A-Za-z])({'|'.join(_CODES)})\s?(?=\d)", lambda found: _CODES[found[1]]),
    (
        rf"({_NUMBER})\s?({'|'.join(_CODES)})(?![A-Za-z])",
        lambda found: _CODES[found[2]] + found[1],
    ),
    (r"(\d+)\s?[:：]\s?(\d+)", lambda found: f"{_value(found[1])}比{_value(found[2])}"),
    (
        r"(?<!\d)(?:\+(\d{2,3})[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)",
        lambda found: (
            (f"加{_digits(found[1])}，" if found[1] else "")
            + _digits(found[2] + found[3] + found[4], "幺")
        ),
    ),
    (
        r"(?<![\d.])(0\d{2,3}|400|800)-\d{3,4}-?\d{3,4}(?!\d)",
        lambda found: _digits(found[0].replace("-", ""), "幺"),
    ),
    (
        r"(?<=[号码话间编])([是为：: ]{0,2})(\d{3,})(?![\d.,])",
        lambda found: found[1] + _digits(found[2], "幺"),
    ),
    (
        rf"(?P<sign>US\$|HK\$|[$¥￥€£])\s?(?P<amount>{_NUMBER})(?P<big>[万亿])?(?:元|块|美元)?",
        _money,
    ),
    (
        rf"(?P<minus>(?<![A-Za-z\d])[-−])?(?P<number>{_NUMBER})(?:%?\s?[-~～—至到]\s?(?P<to>{_NUMBER}))?"
        r"\s?(?P<sign>[%‰])",
        _scaled,
    ),
    (
        rf"(?P<minus>(?<![A-Za-z\d])[-−])?(?P<number>{_NUMBER})\s?"
        rf"(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![A-Za-z])",
        _unit,
    ),
    (r"(?<![\d/])(\d+)\s?/\s?(\d+)(?![\d/])", _divided),
    (rf"({_NUMBER})\s?[-−]\s?(?={_NUMBER}\s?=)", lambda found: _value(found[1]) + "减"),
    (r"(?<=\d)\s?[xX]\s?(?=\d)", "×"),
    (
        rf"({_NUMBER})\s?[-~～–—]\s?(?={_NUMBER})",
        lambda found: _value(found[1]) + "到",
    ),
    (r"(?<![A-Za-z\d)])[-−](?=\d)", "负"),
    (r"(?<=[A-Za-z])-(?=\d)", " "),
    (r"\d+(?:\.\d+){2,}", lambda found: "点".join(map(_digits, found[0].split(".")))),
    (rf"(?P<number>{_NUMBER})", _quantity),
    (r"(?<=[\w）)])\s*([+=×*÷<>≈≤≥])\s*(?=[\w（(])", lambda found: _SIGNS[found[1]]),
    (r"&", "和"),
    (r"[#~^_|\\/]+", " "),
)


def spoken(text: str) -> str:
    """Return `text` with all digits and signs in characters."""
    text = text.translate(_WIDE)
    return _REWRITE(text)
