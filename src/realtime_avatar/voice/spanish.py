"""Spanish letters to phonemes, by rule.

The symbols and habits are those of espeak-ng's Castilian ("es"), with which Kokoro's
Spanish voices were trained: θ for c and z, ʎ for ll, ʝ for y, allophones β ð ɣ, and misaki's
single letters for diphthongs (A for ei, I for ai, W for au). The rules themselves are those of
every grammar of Spanish.
"""

import re
from typing import Final

from realtime_avatar.voice.phonemes import PAUSES, STRESSES, Phonemiser, Spoken

_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[^\w\s]+|\s+|\d+|_+")
_ACCENTS: Final = {"á": "a", "é": "e", "í": "i", "ó": "o", "ú": "u", "ü": "u"}
_PLAIN: Final = str.maketrans("àâäãåèêëìîïòôöõùûçß", "aaaaaeeeiiioooouuss")
_UNSTRESSED: Final = (
    " el la los las lo de del al a en y e o u ni que se me te le les nos os mi tu su mis tus sus "
    "con por sin si "
)
_LIGHT: Final = (
    " para pero como cuando desde hasta entre sobre porque aunque donde nuestro nuestra "
)
_X_AS_J: Final = re.compile(r"^(?:m[eé]xic|oaxac|texas|texan|quixot)")
_ENGLISH: Final = re.compile(
    r"w|sh|th|ck|ph|oo[dkmt]|ee[kpt]|ff|ss|tt|pp|bb|mm|dd|gg|zz|[^aeioul]y$|g$|^s[^aeiouhy]|ight"
)
_ENGLISH_WORDS: Final = " online email game gamer podcast streaming chip smartphone time home java "
_VOWELS: Final = "aeiouáéíóúü"
_DIGRAPHS: Final = {"ch": "ʧ", "ll": "ʎ", "rr": "r", "sh": "ʃ", "ph": "f", "th": "t", "ck": "k"}
_CONSONANTS: Final = {
    "b": "b", "v": "b", "d": "d", "f": "f", "j": "x", "k": "k", "l": "l", "m": "m", "n": "n",
    "ñ": "ɲ", "p": "p", "q": "k", "s": "s", "t": "t", "w": "w", "z": "θ",
}  # fmt: skip
_FALLING: Final = {"ai": "I", "ei": "A", "oi": "oɪ", "au": "W", "eu": "eʊ", "ou": "ow"}
_SOFT: Final = {"b": "β", "d": "ð", "ɡ": "ɣ"}
_HARD: Final = ("bt", "bm", "bb", "ɡn", "ɡm", "ɡd")
_QUOTES: Final = str.maketrans("«»", "“”")


def word(text: str) -> str:
    """Return one word's phonemes as said alone: ciudad -> θjuðˈad.

    Args:
        text: Letters only.
    """
    letters = text.casefold().translate(_PLAIN)
    stem = letters[:-5]
    if letters.endswith("mente") and len(stem) > 3 and re.search("[aeioué]", stem):
        return word(stem) + "mˈente"
    parts = _parts(letters)
    nuclei = [index for index, (kind, _, _) in enumerate(parts) if kind == "v"]
    if not nuclei:
        return "".join(symbol for _, symbol, _ in parts)
    stressed = _stressed(letters, parts, nuclei)
    light = f" {letters} " in _LIGHT
    said = ""
    for index, (kind, symbol, _) in enumerate(parts):
        if kind == "v":
            mark = ""
            if index == stressed and f" {letters} " not in _UNSTRESSED:
                mark = "ˌ" if light else "ˈ"
            elif index == nuclei[0] and nuclei.index(stressed) >= 2:
                mark = "ˌ"
            glide = re.match("[jw](?=.)", symbol)
            at = glide.end() if glide else 0
            symbol = symbol[:at] + mark + symbol[at:]
        said += symbol
    return re.sub(r"(?<=ˈ)e(?=n[tθs]|x)", "ɛ", said)


def phonemiser(english: Phonemiser) -> Phonemiser:
    """Return what turns Spanish text into words with phonemes.

    Args:
        english: Says the words whose spelling is English rather than Spanish.
    """

    def phonemise(text: str) -> list[Spoken]:
        said: list[Spoken] = []
        foreign: set[int] = set()
        for token in _TOKEN.findall(text):
            symbols = " " if token.isspace() else _pauses(token)
            if _is_english(token):
                symbols = "".join(part.symbols for part in english(token)).strip()
                foreign.add(len(said))
            elif token[0].isalpha():
                symbols = word(token)
            said.append(Spoken(token, symbols))
        return _connect(said, foreign)

    return phonemise


def _is_english(token: str) -> bool:
    letters = token.casefold()
    return (
        len(letters) > 2
        and letters.isascii()
        and (bool(_ENGLISH.search(letters)) or f" {letters} " in _ENGLISH_WORDS)
    )


def _pauses(token: str) -> str:
    return "".join(char for char in token.translate(_QUOTES) if char in PAUSES)


def _parts(letters: str) -> list[tuple[str, str, bool]]:
    """Return consonants ("c") and syllable nuclei ("v") with symbols, and whether accented."""
    parts: list[tuple[str, str, bool]] = []
    at = 0
    while at < len(letters):
        if _vowel_at(letters, at):
            end = at
            while end < len(letters) and _vowel_at(letters, end):
                end += 1
            parts += _nuclei(letters[at:end].replace("y", "i"))
            at = end
        else:
            symbol, used = _consonant(letters, at)
            if symbol:
                parts.append(("c", symbol, False))
            at += used
    return parts


def _vowel_at(letters: str, at: int) -> bool:
    if letters[at] == "y":  # a vowel at the end and before consonants
        return at + 1 == len(letters) or letters[at + 1] not in _VOWELS
    return letters[at] in _VOWELS


def _consonant(letters: str, at: int) -> tuple[str, int]:
    """Return the symbol at a place, and how many letters it takes."""
    pair, after = letters[at : at + 2], letters[at + 1 : at + 2]
    before = letters[at - 1 : at]
    soft = bool(after) and after in "eiéí"
    if pair in _DIGRAPHS:
        return _DIGRAPHS[pair], 2
    match letters[at]:
        case "c":
            return ("θ" if soft else "k"), 1
        case "g":
            if pair == "gu" and letters[at + 2 : at + 3] in tuple("eiéí"):
                return "ɡ", 2
            return ("x" if soft else "ɡ"), 1
        case "q":
            return "k", 2 if after == "u" else 1
        case "h":
            return "", 1
        case "r":
            return ("r" if not before or before in "nls" else "ɾ"), 1
        case "x":
            if _X_AS_J.match(letters):
                return "x", 1
            return ("ks" if before else "s"), 1
        case "y":
            return "ʝ", 1
        case "p" if not before and pair in ("ps", "pt"):
            return "", 1
        case letter if letter == after and letter not in "nl" + _VOWELS and letter.isalpha():
            return _CONSONANTS.get(letter, ""), 2
        case letter:
            return _CONSONANTS.get(letter, ""), 1


def _nuclei(run: str) -> list[tuple[str, str, bool]]:
    """Split vowels into syllables: diphthongs with unaccented i and u, else hiatus."""
    nuclei: list[tuple[str, str, bool]] = []
    at = 0
    while at < len(run):
        glide = ""
        if run[at] in "iuü" and at + 1 < len(run) and run[at] != run[at + 1]:
            glide = "j" if run[at] == "i" else "w"
            at += 1
        main = run[at]
        accented = main in "áéíóú"
        plain = _ACCENTS.get(main, main)
        at += 1
        symbol = plain
        falls = at < len(run) and run[at] in "iu" and main not in "iuíúü"
        if falls and not (at + 1 < len(run) and run[at + 1] in _VOWELS):
            pair = plain + run[at]
            symbol = pair if accented else _FALLING[pair]
            at += 1
        nuclei.append(("v", glide + symbol, accented))
    return nuclei


def _stressed(letters: str, parts: list[tuple[str, str, bool]], nuclei: list[int]) -> int:
    for index in nuclei:
        if parts[index][2]:
            return index
    if len(nuclei) > 1 and letters[-1] in "aeiouns":
        return nuclei[-2]
    return nuclei[-1]


def _connect(said: list[Spoken], foreign: set[int]) -> list[Spoken]:
    """Let neighbours change sounds, across words too, but not across pauses.

    n takes the place of the next consonant; b, d and ɡ are soft except after a pause or n.
    """
    symbols = [list(part.symbols) for part in said]
    sounds = [
        (word, place)
        for word, part in enumerate(said)
        for place, symbol in enumerate(part.symbols)
        if symbol not in STRESSES + " "
    ]
    before = ","
    for (word, place), (next_word, next_place) in zip(
        sounds, [*sounds[1:], (-1, -1)], strict=False
    ):
        symbol = symbols[word][place]
        after = symbols[next_word][next_place] if next_word >= 0 else ","
        last = next_word != word
        if word not in foreign:
            if symbol == "n" and after in "bpfmkɡx":
                symbol = "ŋ" if after in "kɡx" else "m"
            elif symbol in _SOFT and before not in PAUSES + "mnŋ":
                hard = (last and symbol in "bd") or f"{symbol}{after}" in _HARD
                symbol = symbol if hard else _SOFT[symbol]
            symbols[word][place] = symbol
        before = symbol
    return [Spoken(part.text, "".join(new)) for part, new in zip(said, symbols, strict=True)]
