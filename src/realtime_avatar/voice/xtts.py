"""Coqui's XTTS-v2: voices cloned from a few seconds, streamed; wants a GPU (extra `xtts`).

Its weights are for non-commercial use only. The owner fetches them, a folder with `config.json`,
`model.pth`, `vocab.json` and `speakers_xtts.pth`, and names the folder in the settings.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

import numpy as np
from anyio import Lock
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from realtime_avatar.engines.ports import Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import step
from realtime_avatar.errors import ConfigError, InputError, ModelMissing
from realtime_avatar.media import Audio
from realtime_avatar.media.read import write_wav
from realtime_avatar.voice.torch_voice import array, check_licence, imported, pieces
from realtime_avatar.voice.whole import WholeSession

LICENCE: Final = "CPML"
_RATE: Final = 24_000
_LANGUAGES: Final = {"en": "en", "es": "es", "zh": "zh-cn"}
_LATENT: Final = (1, 32, 1024)
_EMBEDDING: Final = (1, 512, 1)
_SHORTEST: Final = 2.0  # seconds of a sample


class XttsOptions(BaseModel):
    """Settings of the engine.

    Attributes:
        accept_licence: "CPML", once the owner has accepted the Coqui Public Model License.
        folder: Of the weights.
        device: "cpu" or "cuda"; by default the settings', whose "auto" is a GPU if there is one.
    """

    model_config = ConfigDict(extra="forbid")

    accept_licence: str = ""
    folder: Path | None = None
    device: str = ""


class Xtts:
    """The engine."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        options = context.parse(XttsOptions)
        check_licence(
            "xtts", LICENCE,
            "non-commercial use only, of the weights and of what they say",
            options.accept_licence,
        )  # fmt: skip
        folder = options.folder
        if folder is None or not (folder / "config.json").is_file():
            raise ModelMissing(
                "XTTS-v2 has no weights here: put config.json, model.pth, vocab.json and"
                " speakers_xtts.pth into a folder, and name it as folder below [engines.xtts] in"
                " avatar.toml"
            )
        config = imported("TTS.tts.configs.xtts_config", "xtts").XttsConfig()
        config.load_json(str(folder / "config.json"))
        self._torch = imported("torch", "xtts")
        self._model: Any = imported("TTS.tts.models.xtts", "xtts").Xtts.init_from_config(config)
        self._model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
        self._device = options.device or context.device
        if self._device == "auto":
            self._device = "cuda" if self._torch.cuda.is_available() else "cpu"
        self._model.to(self._device)
        self._stock: dict[str, Any] = dict(self._model.speaker_manager.speakers)
        self._speaking = Lock()

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(_LANGUAGES)

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(self._stock)

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator[Voice]:
        if language not in _LANGUAGES:
            raise ConfigError(f"xtts speaks {', '.join(_LANGUAGES)}, not {language!r}")
        say = partial(self._say, _LANGUAGES[language], *self._latents(speaker))
        yield WholeSession(say, _RATE, language, "xtts")

    async def enrol(self, sample: Audio) -> Speaker:
        """Return the voice as the model's latents.

        Raises:
            InputError: if the sample is too short.
        """
        if sample.seconds < _SHORTEST:
            raise InputError("xtts needs at least two seconds of a voice")

        def latents() -> NDArray[np.float32]:
            with TemporaryDirectory() as folder:
                file = Path(folder) / "sample.wav"
                write_wav(sample, file)
                found = self._model.get_conditioning_latents(audio_path=[str(file)])
            return np.concatenate([array(part) for part in found])

        return Speaker("enrolled", await step(latents))

    def close(self) -> None:
        """Let go of the weights."""
        self._model = None

    def _latents(self, speaker: Speaker | None) -> tuple[Any, Any]:
        """Return what the model is conditioned on.

        Raises:
            ConfigError: if there is no such speaker.
        """
        if speaker is None or speaker.data is None:
            name = speaker.name if speaker else self.speakers[0]
            if name not in self._stock:
                known = ", ".join(self.speakers)
                raise ConfigError(f"xtts has no speaker {name!r}; it has: {known}")
            stock = self._stock[name]
            return stock["gpt_cond_latent"], stock["speaker_embedding"]
        data, size = np.ascontiguousarray(speaker.data, np.float32), int(np.prod(_LATENT))
        return (
            self._torch.from_numpy(data[:size].reshape(_LATENT)).to(self._device),
            self._torch.from_numpy(data[size:].reshape(_EMBEDDING)).to(self._device),
        )

    async def _say(
        self, language: str, latent: Any, embedding: Any, text: str
    ) -> AsyncGenerator[NDArray[np.float32]]:
        async with self._speaking:
            make = partial(self._model.inference_stream, text, language, latent, embedding)
            async with aclosing(pieces(lambda: iter(make()))) as sounds:
                async for sound in sounds:
                    yield sound
