"""Chinese characters to phonemes: jieba cuts words, pypinyin reads them, misaki writes IPA."""

import logging
import warnings
from functools import cache
from typing import Any, Final

import platformdirs

from realtime_avatar.voice.phonemes import PAUSES, Phonemiser, Spoken

_PUNCTUATION: Final = str.maketrans({
    "，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "；": ";", "：": ":",
    "《": "“", "》": "”", "「": "“", "」": "”", "『": "“", "』": "”", "【": "“", "】": "”",
    "（": "(", "）": ")", "·": " ",
})  # fmt: skip


_WORD: Final = 6
"""Characters of a word that are looked back for."""


def phonemiser() -> Phonemiser:
    """Load the dictionaries (about a second) and return what turns text into phonemes."""
    tokenizer, reader = _load()

    def phonemise(text: str) -> list[Spoken]:
        said: list[Spoken] = []
        for word in tokenizer.lcut(text):
            if word.isspace():
                said.append(Spoken(word, " "))
            elif _is_han(word[0]):
                said.append(Spoken(word, reader(word).replace("\u032f", "") + " "))
            else:
                marks = "".join(char for char in word.translate(_PUNCTUATION) if char in PAUSES)
                said.append(Spoken(word, marks if marks in ("", "“", "(") else marks + " "))
        return _tidy(said)

    return phonemise


def word_ends(text: str, char: str) -> bool:
    """Tell whether a word ends between a text, not empty, and the character that follows it.

    What comes after that is not known yet, so that it does not where a word of the dictionary
    has begun and is not complete.
    """
    tokenizer, _ = _load()
    counts: dict[str, int] = tokenizer.FREQ  # 0 for beginnings that are no words
    begins = range(max(len(text) - _WORD, 0), len(text))
    if any(counts.get(text[at:] + char) == 0 for at in begins):
        return False
    return tokenizer.lcut(text + char)[-1] == char


@cache
def _load() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        # jieba asks for the deprecated pkg_resources and has invalid escapes in its strings.
        warnings.simplefilter("ignore")
        import jieba
        from misaki.zh import ZHG2P

    jieba.setLogLevel(logging.WARNING)
    tokenizer: Any = jieba.Tokenizer()
    # Its cache is read with marshal: not from the temporary folder that all users share.
    tokenizer.tmp_dir = str(platformdirs.user_cache_path("realtime-avatar", ensure_exists=True))
    tokenizer.initialize()
    ZHG2P.word2ipa("你好")
    return tokenizer, ZHG2P.word2ipa


def _is_han(char: str) -> bool:
    return char >= "\u2e80" and char not in "，。！？；：、（）《》「」『』【】“”…—．·～￥"


def _tidy(said: list[Spoken]) -> list[Spoken]:
    """Take the spaces before punctuation away."""
    tidy: list[Spoken] = []
    for part in said:
        if tidy and part.symbols[:1] in tuple(";:,.!?—…)”") and tidy[-1].symbols.endswith(" "):
            tidy[-1] = Spoken(tidy[-1].text, tidy[-1].symbols.rstrip())
        tidy.append(part)
    return tidy
