"""How a reply is meant: tags that a language model may put before a sentence.

"[happy] What a day! [concerned] But you look tired." The tags are never spoken; the speech
that follows one carries its emotion to the face. A closing one, "[/happy]", ends it.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import replace
from typing import Final

from realtime_avatar.media.audio import EMOTIONS, Audio

# Any word in brackets is a stage direction: models invent some, "[laughs]".
_TAG: Final = re.compile(r"\[(/?)([A-Za-z]{2,20})\]\s*")
_BEGUN: Final = re.compile(r"\[/?[A-Za-z]{0,20}(?:\]\s*)?$")


class Moods:
    """Takes the tags out of one reply, and puts the emotions on its speech.

    Args:
        emotion: Of what comes before the first tag; one of `EMOTIONS`.
    """

    def __init__(self, emotion: str = "neutral") -> None:
        self._usual = self._emotion = emotion
        self._letters = 0  # of the text without tags, white space aside
        self._due: deque[tuple[int, str]] = deque()  # from which letter on, which emotion

    async def untagged(self, pieces: AsyncIterable[str]) -> AsyncGenerator[str]:
        """Yield the text without its tags, also where they come in pieces."""
        held = ""
        async for piece in pieces:
            held += piece
            begun = _BEGUN.search(held)
            cut = begun.start() if begun else len(held)
            if text := self._clean(held[:cut]):
                yield text
            held = held[cut:]
        if text := self._clean(held):
            yield text

    async def coloured(self, speech: AsyncIterable[Audio]) -> AsyncGenerator[Audio]:
        """Yield the speech with the emotions of its words."""
        spoken = 0
        async for audio in speech:
            spoken += _letters(audio.text)
            while self._due and self._due[0][0] < spoken:
                _, self._emotion = self._due.popleft()
            yield replace(audio, emotion=self._emotion)

    def _clean(self, text: str) -> str:
        clean, end = "", 0
        for tag in _TAG.finditer(text):
            clean += text[end : tag.start()]
            end = tag.end()
            if (emotion := tag[2].lower()) in EMOTIONS:
                emotion = self._usual if tag[1] else emotion
                self._due.append((self._letters + _letters(clean), emotion))
        clean += text[end:]
        self._letters += _letters(clean)
        return clean


def _letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)
