"""Chinese characters to phonemes: jieba cuts words, pypinyin reads them, misaki writes IPA.

What pypinyin's dictionary does not have, such as the last of 最长 or the first of 弹得, g2pM
reads by the sentence (Park and Lee, Interspeech 2020).
"""

import logging
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
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
    tokenizer, reader = _load(), _reader()

    def phonemise(text: str) -> list[Spoken]:
        said: list[Spoken] = []
        at = 0
        for word in tokenizer.lcut(text):
            if word.isspace():
                said.append(Spoken(word, " "))
            elif _is_han(word[0]):
                said.append(Spoken(word, reader(text, at, word)))
            else:
                marks = "".join(char for char in word.translate(_PUNCTUATION) if char in PAUSES)
                said.append(Spoken(word, marks if marks in ("", "“", "(") else marks + " "))
            at += len(word)
        return _tidy(said)

    return phonemise


def word_ends(text: str, char: str) -> bool:
    """Tell whether a word ends between a text, not empty, and the character that follows it.

    What comes after that is not known yet, so that it does not where a word of the dictionary
    has begun and is not complete.
    """
    tokenizer = _load()
    counts: dict[str, int] = tokenizer.FREQ  # 0 for beginnings that are no words
    begins = range(max(len(text) - _WORD, 0), len(text))
    if any(counts.get(text[at:] + char) == 0 for at in begins):
        return False
    return tokenizer.lcut(text + char)[-1] == char


@cache
def _load() -> Any:
    with warnings.catch_warnings():
        # jieba asks for the deprecated pkg_resources and has invalid escapes in its strings.
        warnings.simplefilter("ignore")
        import jieba

    jieba.setLogLevel(logging.WARNING)
    tokenizer: Any = jieba.Tokenizer()
    # Its cache is read with marshal: not from the temporary folder that all users share.
    tokenizer.tmp_dir = str(platformdirs.user_cache_path("realtime-avatar", ensure_exists=True))
    tokenizer.initialize()
    return tokenizer


@cache
def _reader() -> Callable[[str, int, str], str]:
    """Return what reads a word, given the text and where in it the word begins.

    It returns IPA and a space; nothing for a word of characters that have no reading.
    """
    with warnings.catch_warnings():
        # misaki imports jieba; g2pM leaves its files to be closed.
        warnings.simplefilter("ignore")
        from g2pM import G2pM
        from misaki.zh import ZHG2P

        model: Any = G2pM()
    from pypinyin import Style, lazy_pinyin, pinyin
    from pypinyin.seg.mmseg import seg

    write: Callable[[str], str] = cache(ZHG2P.py2ipa)

    @lru_cache(1)
    def by_sentence(text: str) -> list[str]:
        return model(text, tone=True, char_split=True)

    @cache
    def readings(char: str) -> list[str]:
        return pinyin(char, Style.TONE3, heteronym=True, neutral_tone_with_five=True)[0]

    def read(text: str, at: int, word: str) -> str:
        said = list[str]()
        for piece in seg.cut(word):
            syllables = lazy_pinyin(piece, Style.TONE3, neutral_tone_with_five=True)
            # The tones of 一 and 不 are their neighbours', which g2pM does not tell.
            if len(piece) == 1 and piece not in "一不" and len(readings(piece)) > 1:
                reading = by_sentence(text)[at].replace("u:", "v")
                if reading in readings(piece):
                    syllables = [reading]
            said += syllables
            at += len(piece)
        # pypinyin returns a character that it cannot read as it is.
        symbols = "".join(write(syllable) for syllable in said if syllable[0].isascii())
        return f"{symbols} ".replace("\u032f", "") if symbols else ""

    read("你好", 0, "你好")
    return read


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
