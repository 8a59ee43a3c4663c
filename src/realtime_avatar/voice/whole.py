"""Voices of models that take a sentence and give its sound as it comes: remote ones, Torch ones."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_avatar.engines.ports import Speaker
from realtime_avatar.errors import AvatarError, ConfigError, EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import to_int16
from realtime_avatar.voice.clauses import Ending, Pace, cut
from realtime_avatar.voice.normalise import readable, spoken

PACE: Final = Pace(first=25, hurry=90, later=120, longest=300)
"""Sentences rather than clauses: these models need the whole for its melody."""

_PAUSES: Final = {Ending.WORD: 0.02, Ending.COMMA: 0.1, Ending.SENTENCE: 0.25}  # seconds
_PARAGRAPH: Final = 0.4
_CHUNK: Final = 0.2  # seconds
_TAIL: Final = 0.2  # seconds of silence in which a mouth closes

Say = Callable[[str], AsyncGenerator[NDArray[np.float32] | NDArray[np.int16]]]
"""Speaks a sentence: sound in pieces, float32 in [-1, 1] or int16."""


def check_wish(
    name: str,
    language: str,
    speaker: Speaker | None,
    languages: Sequence[str],
    voices: Sequence[str],
) -> str:
    """Return the name of the voice that is wanted; the first without a wish.

    Args:
        name: Of the engine, for errors.
        language: Wanted, ISO 639-1.
        speaker: Wanted.
        languages: That the engine is set up for.
        voices: The same.

    Raises:
        ConfigError: if the engine is not set up for it.
    """
    if language not in languages:
        raise ConfigError(f"{name} is not set up for {language!r}")
    voice = speaker.name if speaker else voices[0]
    if voice not in voices:
        raise ConfigError(f"{name} has no speaker {voice!r}; it has: {', '.join(voices)}")
    return voice


async def samples(data: AsyncGenerator[bytes]) -> AsyncGenerator[NDArray[np.int16]]:
    """Yield little-endian int16 samples of bytes that may be cut anywhere; close `data`."""
    odd = b""
    async with aclosing(data):
        async for piece in data:
            piece = odd + piece
            whole = len(piece) // 2 * 2
            odd = piece[whole:]
            if whole:
                yield np.frombuffer(piece[:whole], "<i2")


class WholeSession:
    """A voice that speaks sentence by sentence; see `engines.ports.Voice`.

    A sentence's words go with its first sound: such models do not tell when each is heard.

    Args:
        say: Speaks.
        rate: Of what it speaks, Hz.
        language: Of the text.
        name: Of the engine, for errors.
    """

    def __init__(self, say: Say, rate: int, language: str, name: str) -> None:
        self._say, self._rate, self._language, self._name = say, rate, language, name

    @property
    def rate(self) -> int:
        return self._rate

    async def speak(self, text: AsyncIterable[str]) -> AsyncGenerator[Audio]:
        """Say streamed text; nothing is computed before it is asked for.

        Yields:
            Consecutive audio from sample 0, chunks of at most 200 ms.

        Raises:
            InputError: if the text is too long.
            EngineError: if a sentence cannot be said.
        """
        at, words, pause = 0, "", 0.0
        async with aclosing(cut(text, PACE)) as clauses:
            async for clause in clauses:
                words += clause.text
                read = "" if clause.code else self._read(clause.text)
                if not any(letter.isalnum() for letter in read):
                    continue
                if pause:
                    yield Audio.silence(round(pause * self._rate), self._rate, at)
                    at += round(pause * self._rate)
                async with aclosing(self._pieces(read)) as pieces:
                    async for pcm in pieces:
                        yield Audio(pcm, self._rate, at, words)
                        at, words = at + len(pcm), ""
                pause = _PAUSES.get(clause.ending, _PARAGRAPH)
        if at:
            tail = np.zeros(round(_TAIL * self._rate), np.int16)
            yield Audio(tail, self._rate, at, words)

    def _read(self, text: str) -> str:
        return spoken(readable(text, self._language), self._language)

    async def _pieces(self, text: str) -> AsyncGenerator[NDArray[np.int16]]:
        size = round(_CHUNK * self._rate)
        rest = np.zeros(0, np.int16)
        try:
            async with aclosing(self._say(text)) as sounds:
                async for sound in sounds:
                    pcm = sound if sound.dtype == np.int16 else to_int16(sound.astype(np.float32))
                    rest = np.concatenate([rest, pcm.astype(np.int16)])
                    while len(rest) >= size:
                        yield rest[:size]
                        rest = rest[size:]
        except AvatarError:
            raise
        except Exception as error:
            raise EngineError("voice", f"{self._name} cannot say this: {error}") from error
        if len(rest):
            yield rest
