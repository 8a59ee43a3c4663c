"""Google's voices: Gemini's text-to-speech models, streamed.

The text goes to Google; nothing is sent before the owner has named this engine in the settings.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from realtime_avatar.engines.google import (
    NO_KEY,
    Connection,
    Google,
    GoogleOptions,
    Unanswered,
    explain,
    lost,
)
from realtime_avatar.engines.ports import Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.servers import steadily
from realtime_avatar.errors import EngineError, InputError, RemoteError
from realtime_avatar.media import Audio
from realtime_avatar.voice.whole import WholeSession, check_wish, samples

_RATE: Final = 24_000
"""Hz, of "audio/L16;codec=pcm;rate=24000": int16, little-endian, mono."""

_KIND: Final = re.compile(rf"audio/(?:l16|pcm)\b(?!.*\brate=(?!{_RATE}\b))", re.IGNORECASE)


class GeminiSpeechOptions(GoogleOptions):
    """Settings of the engine.

    Attributes:
        model: The quick one by default, as somebody waits.
        voices: Google's names of those that people may choose, the default one first.
        languages: ISO 639-1 codes that it is used for.
        style: How it is to speak, in words of any language, say "calmly".
    """

    model: str = Field("gemini-3.8-flash-lite-tts", min_length=1)
    voices: tuple[str, ...] = Field(
        ("Kore", "Puck", "Aoede", "Charon", "Leda", "Orus"), min_length=1
    )
    languages: tuple[str, ...] = ("en", "zh", "es")
    style: str = Field("", max_length=300)


class GeminiSpeech:
    """The engine."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(GeminiSpeechOptions)
        self._google = Google(self._options)

    @property
    def languages(self) -> tuple[str, ...]:
        return self._options.languages

    @property
    def speakers(self) -> tuple[str, ...]:
        return self._options.voices

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator[Voice]:
        """Open a session, with connections of its own. Missing credentials are told later."""
        options = self._options
        name = check_wish("gemini-speech", language, speaker, options.languages, options.voices)
        async with self._google.connect() as connection:
            say = partial(self._say, connection, name)
            yield WholeSession(say, _RATE, language, "gemini-speech")

    async def enrol(self, sample: Audio) -> Speaker:
        raise InputError("gemini-speech cannot learn a voice: its voices are Google's own")

    def close(self) -> None:
        """Nothing is held: each session closes its own connections."""

    async def _say(
        self, connection: Connection, name: str, text: str
    ) -> AsyncGenerator[NDArray[np.int16]]:
        if not connection.known:
            raise RemoteError("voice", "credentials", NO_KEY)
        part: dict[str, Any] = {"text": text}
        if self._options.style:
            part["speech_metadata"] = {"style": self._options.style}
        request = {
            "model": self._options.model,
            "contents": [{"role": "user", "parts": [part]}],
            "config": {
                "response_modalities": ["AUDIO"],
                "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": name}}},
            },
        }
        sound = steadily(
            partial(_sound, connection, request), self._options, _told, (*lost(), _Silent)
        )
        async with aclosing(samples(sound)) as pieces:
            async for pcm in pieces:
                yield pcm


class _Silent(Unanswered):
    """The model ended without a sound, as these models do now and then: once is forgiven."""


async def _sound(connection: Connection, request: Mapping[str, Any]) -> AsyncGenerator[bytes]:
    said = False
    try:
        async with aclosing(connection.parts(request)) as parts:
            async for part in parts:
                data = part.inline_data
                if data is None or not data.data:
                    continue
                if not _KIND.match(data.mime_type or ""):
                    raise EngineError("voice", f"Gemini sent {data.mime_type!r}, and no PCM")
                said = True
                yield data.data
    except Unanswered as error:
        if said or error.reason != "failed":
            raise
        raise _Silent(error.reason, str(error)) from None
    if not said:
        raise _Silent("failed", "Gemini said nothing")


def _told(error: Exception) -> EngineError:
    return RemoteError("voice", *explain(error))
