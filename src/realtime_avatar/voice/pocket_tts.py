"""Kyutai's Pocket TTS (extra `pocket-tts`): voices cloned from a few seconds, on a CPU.

Its library fetches the weights from Hugging Face at first use; those that clone are behind terms
that the owner accepts there and here.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from threading import Event
from threading import Lock as ThreadLock
from typing import Any, ClassVar, Final

import numpy as np
from anyio import Lock
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from realtime_avatar.engines.ports import Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError, InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.resample import resample
from realtime_avatar.voice.torch_voice import check_licence, imported, pieces
from realtime_avatar.voice.whole import WholeSession

LICENCE: Final = "CC-BY-4.0"
_MODELS: Final = {"en": "english", "es": "spanish"}
_SPEAKERS: Final = {"en": "alba", "es": "lola"}
_SHORTEST: Final = 1.0  # seconds of a sample
_LONGEST: Final = 20.0  # that are used


class PocketOptions(BaseModel):
    """Settings of the engine.

    Attributes:
        accept_licence: "CC-BY-4.0", once the owner has accepted Kyutai's terms.
        temperature: Of sampling; None for the model's own.
    """

    model_config = ConfigDict(extra="forbid")

    accept_licence: str = ""
    temperature: float | None = None


class PocketTts:
    """The engine: English and Spanish, one model for each, loaded when first spoken."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        self._options = context.parse(PocketOptions)
        check_licence(
            "pocket-tts", LICENCE,
            "name Kyutai; clone no voice without its owner's consent; deceive nobody",
            self._options.accept_licence,
        )  # fmt: skip
        self._library = imported("pocket_tts", "pocket-tts")
        self._torch = imported("torch", "pocket-tts")
        self._loading = ThreadLock()
        self._loaded: dict[str, Any] = {}
        self._speaking = Lock()
        self._model("en")

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(_MODELS)

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(_SPEAKERS.values())

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator[Voice]:
        if language not in _MODELS:
            raise ConfigError(f"pocket-tts speaks {', '.join(_MODELS)}, not {language!r}")
        if speaker and speaker.data is None and speaker.name not in self.speakers:
            known = ", ".join(self.speakers)
            raise ConfigError(f"pocket-tts has no speaker {speaker.name!r}; it has: {known}")
        model = await step(partial(self._model, language))
        state = await step(partial(self._state, model, language, speaker))
        rate = int(model.sample_rate)
        yield WholeSession(partial(self._say, model, state), rate, language, "pocket-tts")

    async def enrol(self, sample: Audio) -> Speaker:
        """Return a voice that is the sample itself, which the model is prompted with.

        Raises:
            InputError: if it is too short.
        """
        if sample.seconds < _SHORTEST:
            raise InputError("pocket-tts needs at least a second of a voice")
        model = await step(partial(self._model, "en"))
        sound = (await step(partial(resample, sample, int(model.sample_rate)))).float32()
        return Speaker("enrolled", sound[: round(_LONGEST * model.sample_rate)])

    def close(self) -> None:
        """Let go of the weights."""
        self._loaded.clear()

    async def _say(self, model: Any, state: Any, text: str) -> AsyncGenerator[NDArray[np.float32]]:
        stop = Event()  # its own threads go on otherwise
        # The model is not safe for two threads at once.
        async with self._speaking:
            try:
                make = partial(model.generate_audio_stream, state, text, stop=stop)
                async with aclosing(pieces(lambda: iter(make()))) as sounds:
                    async for sound in sounds:
                        yield sound
            finally:
                stop.set()

    def _model(self, language: str) -> Any:
        with self._loading:
            if language not in self._loaded:
                self._loaded[language] = self._library.TTSModel.load_model(
                    language=_MODELS[language], temp=self._options.temperature
                )
            return self._loaded[language]

    def _state(self, model: Any, language: str, speaker: Speaker | None) -> Any:
        if speaker is None or speaker.data is None:
            name = speaker.name if speaker else _SPEAKERS[language]
            return model.get_state_for_audio_prompt(name)
        prompt = np.ascontiguousarray(speaker.data, np.float32)[None]
        return model.get_state_for_audio_prompt(self._torch.from_numpy(prompt))
