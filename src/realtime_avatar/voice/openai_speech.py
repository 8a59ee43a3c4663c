"""Voices of any server with OpenAI's `POST /v1/audio/speech`: its own, LocalAI's, this product's.

The text goes to that server; nothing is sent before the owner has named one in the settings.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import ClassVar, Final

import httpx2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from realtime_avatar.engines.ports import Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.servers import reason_of
from realtime_avatar.errors import ConfigError, InputError, RemoteError
from realtime_avatar.media import Audio
from realtime_avatar.voice.whole import WholeSession, check_wish, samples

_RATE: Final = 24_000
"""Of `response_format` "pcm", Hz: int16, little-endian, mono."""


class SpeechOptions(BaseModel):
    """Settings of the engine.

    Attributes:
        base_url: Of the server, with its "/v1".
        key: Its API key; empty where it wants none.
        model: Which of its models.
        voices: That it has, the default one first.
        languages: ISO 639-1 codes that it is used for.
        seconds: After so long without a byte it counts as gone.
    """

    model_config = ConfigDict(extra="forbid")

    base_url: str = ""
    key: SecretStr = SecretStr("")
    model: str = "tts-1"
    voices: tuple[str, ...] = Field(default=("alloy",), min_length=1)
    languages: tuple[str, ...] = ("en", "zh", "es")
    seconds: float = Field(default=20, gt=0)


class OpenAISpeech:
    """The engine."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(SpeechOptions)
        if not self._options.base_url:
            raise ConfigError(
                "openai-speech needs a server: name its address, with /v1, as base_url below"
                " [engines.openai-speech] in avatar.toml"
            )

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
        options = self._options
        name = check_wish("openai-speech", language, speaker, options.languages, options.voices)
        secret = options.key.get_secret_value()
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        async with httpx2.AsyncClient(
            base_url=options.base_url.rstrip("/") + "/", headers=headers, timeout=options.seconds
        ) as client:
            yield WholeSession(partial(self._say, client, name), _RATE, language, "openai-speech")

    async def enrol(self, sample: Audio) -> Speaker:
        raise InputError("openai-speech cannot learn a voice: the protocol has no way to")

    def close(self) -> None:
        """Each session has its own connections."""

    async def _say(
        self, client: httpx2.AsyncClient, name: str, text: str
    ) -> AsyncGenerator[NDArray[np.int16]]:
        body = {
            "model": self._options.model, "voice": name, "input": text, "response_format": "pcm",
        }  # fmt: skip
        async with aclosing(samples(_sound(client, body))) as pieces:
            async for pcm in pieces:
                yield pcm


async def _sound(client: httpx2.AsyncClient, body: Mapping[str, str]) -> AsyncGenerator[bytes]:
    try:
        async with client.stream("POST", "audio/speech", json=body) as response:
            if response.status_code != 200:
                told = (await response.aread()).decode("utf-8", "replace")[:200]
                words = f"the speech server answered {response.status_code}: {told}"
                raise RemoteError("voice", reason_of(response.status_code), words)
            async for data in response.aiter_bytes():
                yield data
    except httpx2.HTTPError as error:
        words = f"the speech server is not there: {error}"
        raise RemoteError("voice", "unreachable", words) from error
