"""Spanish as written -> as spoken.

Numbers are read by num2words; gender, apocope (un, veintiún, primer), dates, times, money
and which of "." and "," is the decimal sign are decided here.
"""

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, Final

from realtime_avatar.voice.rewrite import Rewriter

_TOO_MANY: Final = 10**15
"""Greater numbers are read digit by digit."""

_MONTHS: Final = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip
_NUMBER: Final = (
    r"\d{1,3}(?:\.\d{3})+(?:,\d+)?(?!\d|\.\d)"
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d|,\d)"
    r"|\d+(?:[.,]\d+)?"
)
_MONEY: Final = {
    "€": ("euro", "euros", "céntimo"),
    "$": ("dólar", "dólares", "centavo"),
    "US$": ("dólar", "dólares", "centavo"),
    "£": ("libra", "libras", "penique"),
    "¥": ("yen", "yenes", ""),
}
_CODES: Final = {"USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_UNITS: Final = {
    "km/h": ("kilómetro por hora", "kilómetros por hora"),
    "m/s": ("metro por segundo", "metros por segundo"),
    "km²": ("kilómetro cuadrado", "kilómetros cuadrados"),
    "m²": ("metro cuadrado", "metros cuadrados"),
    "m2": ("metro cuadrado", "metros cuadrados"),
    "m³": ("metro cúbico", "metros cúbicos"),
    "km": ("kilómetro", "kilómetros"),
    "m": ("metro", "metros"),
    "cm": ("centímetro", "centímetros"),
    "mm": ("milímetro", "milímetros"),
    "kg": ("kilo", "kilos"),
    "g": ("gramo", "gramos"),
    "mg": ("miligramo", "miligramos"),
    "l": ("litro", "litros"),
    "L": ("litro", "litros"),
    "ml": ("mililitro", "mililitros"),
    "°C": ("grado", "grados"),
    "ºC": ("grado", "grados"),
    "°": ("grado", "grados"),
    "kWh": ("kilovatio hora", "kilovatios hora"),
    "kW": ("kilovatio", "kilovatios"),
    "GB": ("giga", "gigas"),
    "MB": ("mega", "megas"),
    "GHz": ("gigahercio", "gigahercios"),
    "Hz": ("hercio", "hercios"),
    "min": ("minuto", "minutos"),
    "h": ("hora", "horas"),
    "s": ("segundo", "segundos"),
}
_ABBREVIATIONS: Final = {
    "Sr.": "señor",
    "Sra.": "señora",
    "Srta.": "señorita",
    "Sres.": "señores",
    "Dr.": "doctor",
    "Dra.": "doctora",
    "D.": "don",
    "Dña.": "doña",
    "Prof.": "profesor",
    "Profa.": "profesora",
    "Lic.": "licenciado",
    "Ing.": "ingeniero",
    "Ud.": "usted",
    "Uds.": "ustedes",
    "Vd.": "usted",
    "Vds.": "ustedes",
    "EE. UU.": "Estados Unidos",
    "EE.UU.": "Estados Unidos",
    "EEUU": "Estados Unidos",
    "p. ej.": "por ejemplo",
    "p.ej.": "por ejemplo",
    "a. C.": "antes de Cristo",
    "a.C.": "antes de Cristo",
    "d. C.": "después de Cristo",
    "d.C.": "después de Cristo",
    "etc.": "etcétera",
    "pág.": "página",
    "págs.": "páginas",
    "núm.": "número",
    "n.º": "número",
    "nº": "número",
    "Nº": "número",
    "tel.": "teléfono",
    "Tel.": "teléfono",
    "av.": "avenida",
    "Av.": "avenida",
    "Avda.": "avenida",
    "vs.": "versus",
    "vs": "versus",
    "aprox.": "aproximadamente",
    "máx.": "máximo",
    "mín.": "mínimo",
}
_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_LETTERS: Final = {
    "a": "a", "b": "be", "c": "ce", "d": "de", "e": "e", "f": "efe", "g": "ge", "h": "hache",
    "i": "i", "j": "jota", "k": "ca", "l": "ele", "m": "eme", "n": "ene", "ñ": "eñe", "o": "o",
    "p": "pe", "q": "cu", "r": "erre", "s": "ese", "t": "te", "u": "u", "v": "uve",
    "w": "uve doble", "x": "equis", "y": "ye", "z": "zeta",
}  # fmt: skip
_FEMININE: Final = re.compile(
    r"(?:as?|ción|ciones|sión|siones|dad|dades|tud|tudes|veces|noches|tardes?"
    r"|^mujer(?:es)?|^flor(?:es)?|^clases?|^partes?|^calles?|^llaves?|^manos?|^fotos?|^motos?"
    r"|^frases?|^redes|^leyes|^imágenes|^órdenes|^nubes?|^series?)$"
)
_MASCULINE_A: Final = re.compile(
    r"^(?:días?|problemas?|sistemas?|programas?|temas?|mapas?|idiomas?|planetas?|clima"
    r"|kilogramas?|poemas?|gramas?|dilemas?|esquemas?|síntomas?|yenes|diplomas?|dálmatas?|poetas?"
    r"|atletas?|colegas?|centigramas?|teoremas?|dramas?|aromas?|pijamas?|sofás?"
    r"|(?:art|tur|period|dent|futbol|econom|cicl|ten|pian|guitarr|tax|especial|electric)istas?)$"
)
_NOT_COUNTED: Final = (
    " y o u e de del en a al por para con sin que es son fue era más menos como si no se ya "
    "está están hasta entre pero ni cuando la el las los "
)
_FRACTIONS: Final = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo",
                     8: "octavo", 9: "noveno", 10: "décimo"}  # fmt: skip


@cache
def _num2words() -> Callable[..., Any]:
    from num2words import num2words

    return num2words


def _whole(number: int, gender: str = "") -> str:
    """Return a cardinal; gender: "m" or "f" before a noun, "" alone."""
    if number >= _TOO_MANY:
        return " ".join(_whole(int(digit)) for digit in str(number))
    said = str(_num2words()(number, lang="es"))
    said = re.sub(r"veintiuno(?= )", "veintiún", said)  # mil, millones
    said = re.sub(r"\buno(?= mil)", "un", said)
    if gender == "f":
        said = re.sub(r"cientos\b", "cientas", said)
        said = re.sub(r"quinientos\b", "quinientas", said)
        return re.sub(r"uno$", "una", said)
    if gender == "m":
        return re.sub(r"uno$", "ún" if said.endswith("veintiuno") else "un", said)
    return said


def _parse(number: str) -> tuple[int, str, str]:
    """Return the whole part, the decimals and the name of the sign between them."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", number):
        number = number.replace(".", "")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    whole, sign, part = number.replace(".", ",").partition(",")
    return int(whole), part, "coma" if sign else ""


def _value(number: str, gender: str = "") -> str:
    whole, part, sign = _parse(number)
    if not sign:
        if number.startswith("0") and len(number) > 1:
            return " ".join(_whole(int(digit)) for digit in number)
        return _whole(whole, gender)
    if len(part) <= 2 and not part.startswith("0"):
        decimals = _whole(int(part))
    else:
        decimals = " ".join(_whole(int(digit)) for digit in part)
    return f"{_whole(whole)} {sign} {decimals}"


def _gender(after: str) -> str:
    """Guess the gender of the noun that follows a number; "" if there is none."""
    found = re.match(r"\s+([^\W\d_]+)", after)
    noun = found[1].casefold() if found else ""
    if not noun or f" {noun} " in _NOT_COUNTED:
        return ""
    if noun in ("mil", "millón", "millones"):
        return "m"
    return "f" if _FEMININE.search(noun) and not _MASCULINE_A.match(noun) else "m"


def _quantity(found: re.Match[str]) -> str:
    return _value(found[0], _gender(found.string[found.end() :]))


def _date(day: str, month: str, year: str) -> str:
    first = "primero" if int(day) == 1 else _whole(int(day))
    years = int(year) if len(year) == 4 else (1900 if int(year) > 40 else 2000) + int(year)
    return f"{first} de {_MONTHS[int(month) - 1]} de {_whole(years)}"


def _dashed(found: re.Match[str]) -> str:
    day, month = int(found["d"]), int(found["m"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    return _date(found["d"], found["m"], found["y"])


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found["h"]), int(found["m"] or 0), (found["half"] or "")[:1]
    if hour > 24 or minute > 59:
        return f"{_whole(hour)} a {_whole(minute)}"
    said = _whole(hour or 12, "f")
    quarter = {15: "cuarto", 30: "media"}.get(minute) if hour <= 12 else None
    if minute:
        said += " y " + (quarter or _whole(minute))
    if found["s"]:
        said += f" y {_whole(int(found['s']), 'm')} segundos"
    if half:
        night = "de la noche" if 8 <= hour <= 11 else "de la tarde"
        said += " " + ("de la mañana" if half in "aA" else night)
    elif not hour:
        return said + " de la noche"
    return said + (" horas" if found["horas"] and not minute else "")


def _money(found: re.Match[str]) -> str:
    one, many, cent = _MONEY[found["sign"]]
    whole, part, _ = _parse(found["amount"])
    gender = "f" if one.endswith("a") else "m"
    if found["big"]:
        return f"{_value(found['amount'], 'm')} {found['big']} de {many}"
    if part and len(part) != 2:
        return f"{_value(found['amount'])} {many}"
    said = f"{_whole(whole, gender)} {one if whole == 1 else many}"
    if part and int(part) and cent:
        said += f" con {_whole(int(part), 'm')} {cent}{'' if int(part) == 1 else 's'}"
    return said


def _unit(found: re.Match[str]) -> str:
    one, many = _UNITS[found["unit"]]
    gender = "f" if one == "hora" else "m"
    return f"{_value(found['number'], gender)} {one if found['number'] == '1' else many}"


def _ordinal(found: re.Match[str]) -> str:
    if not 0 < int(found[1]) < 100:
        return _whole(int(found[1]))
    said = str(_num2words()(int(found[1]), lang="es", to="ordinal"))
    mark = found[2]
    if mark in ("ª", "a"):
        return re.sub(r"o\b", "a", said)
    return re.sub(r"(primer|tercer)o$", r"\1", said) if mark in ("er", "ᵉʳ") else said


def _roman(letters: str) -> int:
    values = [_ROMAN[letter] for letter in letters] + [0]
    return sum(value if value >= after else -value for value, after in pairwise(values))


def _reign(found: re.Match[str]) -> str:
    number = _roman(found[2])
    if number > 10:
        return f"{found[1]} {_whole(number)}"
    said = str(_num2words()(number, lang="es", to="ordinal"))
    return f"{found[1]} " + (re.sub(r"o$", "a", said) if found[1].endswith(("a", "bel")) else said)


def _numbered(found: re.Match[str]) -> str:
    """II Guerra Mundial: segunda Guerra Mundial."""
    number, noun = _roman(found[1]), found[2]
    if number > 10:
        return f"{_whole(number)} {noun}"
    said = str(_num2words()(number, lang="es", to="ordinal"))
    if _gender(f" {noun}") == "f":
        return re.sub(r"o$", "a", said) + f" {noun}"
    return re.sub(r"(primer|tercer)o$", r"\1", said) + f" {noun}"


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found[1]), int(found[2])
    if not (0 < above < below and below in _FRACTIONS):
        return f"{_whole(above)} barra {_whole(below)}"
    gender = _gender(found.string[found.end() :])
    if (above, below) == (1, 2) and gender:
        return "media" if gender == "f" else "medio"
    if below > 2 and re.match(r"\s+partes?\b", found.string[found.end() :]):
        part = "tercera" if below == 3 else _FRACTIONS[below][:-1] + "a"
        return f"{_whole(above, 'f')} {part}{'s' if above > 1 else ''}"
    return f"{_whole(above, 'm')} {_FRACTIONS[below]}{'s' if above > 1 else ''}"


def _acronym(found: re.Match[str]) -> str:
    """Spell capitals that make no Spanish syllables: USB, DNI, IA; not ONU, NASA, SIM."""
    letters = found[0].casefold()
    shape = "".join("v" if letter in "aeiouáéíóú" else "c" for letter in letters)
    if (len(letters) > 3 and "v" in shape) or shape in ("cv", "vc", "vcv", "cvc", "cvv", "vvv"):
        return found[0]
    return " ".join(_LETTERS.get(letter, letter) for letter in letters)


def _abbreviation(found: re.Match[str]) -> str:
    ends = found[0].endswith(".") and found.end() == len(found.string.rstrip())
    return _ABBREVIATIONS[found[0]] + ("." if ends and found[0] in ("etc.", "EE. UU.") else "")


_NUMBERS: Final = rf"(?P<number>{_NUMBER})"
_AMOUNT: Final = rf"(?P<amount>{_NUMBER})(?:\s?(?P<big>millón|millones|mil))?"
_SIGN: Final = r"(?P<sign>US\$|[€$£¥])"
_HALF: Final = r"(?:\s?(?P<half>[aApP])\.?\s?[mM]\b\.?)?"

_REWRITE: Final = Rewriter(
    (r"[\u00a0\u2007\u202f]", " "),
    (
        r"(?<!\w)(?:"
        + "|".join(re.escape(short) for short in sorted(_ABBREVIATIONS, key=len, reverse=True))
        + r")(?!\w)",
        _abbreviation,
    ),
    (r"\by/o\b", "y o"),
    (r"\b[cC]#", "ce sharp"),
    (
        r"\b(Python|Java|Node|Windows|iOS|macOS|Android|Ubuntu|Linux|GPT|USB|HTTP|[Vv]ersión)"
        r"[- ](\d+)\.(\d+)(?![.\d])",
        r"\1 \2 punto \3",
    ),
    (r"(?<=\d:\d\d)\s?[-–]\s?(?=\d{1,2}:\d\d)", " a "),
    (rf"\b({'|'.join(_CODES)})\s?(?=\d)", lambda found: _CODES[found[1]]),
    (rf"({_NUMBER})\s?({'|'.join(_CODES)})\b", lambda found: found[1] + _CODES[found[2]]),
    (r"\b(mil|millón|millones) de (US\$|[€$£¥])",
     lambda found: f"{found[1]} de {_MONEY[found[2]][1]}"),
    (r"(?<=\d)\s?[x×]\s?(?=\d)", " por "),
    (r"(?<=\d) / (?=\d)", " entre "),
    (r"\b([IVX]{1,5}) (Guerra|República|Congreso|[Ee]dición|Feria|Festival|Concilio|Bienal|Cumbre"
     r"|Internacional|[Dd]inastía|Reich|Jornadas?|Semana|Copa|Premio|Encuentro)\b", _numbered),
    (r"(?<![\d/.-])(?P<d>\d{1,2})(?P<by>[/.-])(?P<m>\d{1,2})(?P=by)(?P<y>\d{4}|\d{2})(?![\d/-])",
     _dashed),
    (r"(?<![\d/-])(?P<y>\d{4})(?P<by>[/-])(?P<m>\d{2})(?P=by)(?P<d>\d{2})(?![\d/-])", _dashed),
    (rf"\b1º?(?= de (?:{'|'.join(_MONTHS)})\b)", "primero"),
    (
        r"(?<![\d:.,])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?"
        rf"(?P<horas>\s?(?:h|hs|horas)\b\.?)?{_HALF}(?![\d:])",
        _time,
    ),
    (
        r"(?<![\d:.,])(?P<h>\d{1,2})(?P<m>)(?P<s>)(?P<horas>)"
        r"\s?(?P<half>[aApP])\.?\s?[mM]\b\.?",
        _time,
    ),
    (rf"{_SIGN}\s?{_AMOUNT}", _money),
    (rf"{_AMOUNT}\s?{_SIGN}", _money),
    (rf"(?P<amount>{_NUMBER})\s?(?P<big>millones|millón) de (?=euros|dólares|personas)",
     lambda found: f"{_value(found['amount'], 'm')} {found['big']} de "),
    (rf"(?<![\w])[-−](?={_NUMBER})", "menos "),
    (rf"{_NUMBERS}\s?%", lambda found: f"{_value(found['number'])} por ciento"),
    (
        rf"{_NUMBERS}\s?(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})(?!\w)",
        _unit,
    ),
    (r"\b(\d+)\s?\.?(º|ª|er|ᵉʳ)(?!\w)", _ordinal),
    (r"\b([Ss]iglos?|[Cc]apítulos?|[Tt]omos?|[Aa]ctos?|XX) ([IVXLC]+)\b",
     lambda found: f"{found[1]} {_whole(_roman(found[2]))}"),
    (r"\b([A-ZÁÉÍÓÚ][a-záéíóúñ]+) ([IVX]{1,5})\b", _reign),
    (r"\b[Nn]o\.\s?(?=\d)", "número "),
    (r"\b24/7\b", "veinticuatro siete"),
    (r"(?<![\d/])(\d+)/(\d+)(?![\d/])", _fraction),
    (rf"({_NUMBER})\s?[-–]\s?(?=\d)", r"\1 a "),
    (r"\b(?!\d{1,3}(?:\.\d{3})+\b)\d+(?:\.\d+){2,}\b",
     lambda found: " punto ".join(_whole(int(part)) for part in found[0].split("."))),
    (r"(?<=[A-Za-z])-?(?=\d)|(?<=\d)(?=[A-Za-z])", " "),
    (_NUMBER, _quantity),
    (r"\b[A-ZÑ]{2,}\b", _acronym),
    (r"#\s?(?=\w)", "número "),
    (r"\s?\+\s?", " más "),
    (r"\s?=\s?", " igual a "),
    (r"\s?[×*]\s?", " por "),
    (r"\s?÷\s?", " entre "),
    (r"\s<\s", " menor que "),
    (r"\s>\s", " mayor que "),
    (r"[≈~]\s?", " unos "),
    (r"\s?&\s?", " y "),
    (r"%", " por ciento"),
    (r"@", " arroba "),
    (r"(?<=\w)/(?=\w)", " barra "),
    (r"[|\\^_<>]+", " "),
)  # fmt: skip


def spoken(text: str) -> str:
    """Return `text` with its numbers, signs and abbreviations in words."""
    return _REWRITE(text)
