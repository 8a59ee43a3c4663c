"""hibari: a small, very fast English voice, distilled from Kokoro's af_heart (Apache-2.0).

Its package brings the weights. One thread would do, for it speaks forty times faster than people
listen; a second makes a first sound begin a sixth sooner.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.engines.ports import Speaker, Voice
from realtime_avatar.engines.registry import Context
from realtime_avatar.engines.runtime import onnx_session, step
from realtime_avatar.errors import ConfigError, EngineError, InputError
from realtime_avatar.media import Audio
from realtime_avatar.voice import english
from realtime_avatar.voice.clauses import Pace
from realtime_avatar.voice.onnx_output import with_int64_output
from realtime_avatar.voice.phonemes import Phonemiser, Spoken, vocabulary
from realtime_avatar.voice.reading import Reader, Utterance
from realtime_avatar.voice.speech import Part, Session

_SPEAKER: Final = "heart"
_DURATIONS: Final = "/Cast_32_output_0"
_LONGEST: Final = 400
_LEVEL: Final = 0.064
_PACE: Final = Pace(first=15, hurry=70, later=100, longest=300, eager=8)


class HibariOptions(BaseModel):
    """Settings of the engine. `speed`: 1 is the voice's own, 2 twice as fast."""

    model_config = ConfigDict(extra="forbid")

    speed: float = Field(default=1.0, ge=0.5, le=2.0)


class Hibari:
    """The engine. Everything that it needs is in the `hibari-tts` package."""

    models: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        from hibari import dsp
        from hibari.voices import voice_path

        self._options = context.parse(HibariOptions)
        self._synth = cast("Callable[..., NDArray[np.float32]]", dsp.synth)
        model = with_int64_output(Path(voice_path(_SPEAKER, download_missing=False)), _DURATIONS)
        self._session = onnx_session(model, min(2, context.threads))
        self._vocabulary = vocabulary()
        self._english = english.phonemiser()
        self._run("həlˈO.")

    @property
    def languages(self) -> tuple[str, ...]:
        return ("en",)

    @property
    def speakers(self) -> tuple[str, ...]:
        return (_SPEAKER,)

    @asynccontextmanager
    async def open(
        self, *, language: str = "en", speaker: Speaker | None = None
    ) -> AsyncGenerator[Voice]:
        if language != "en":
            raise ConfigError(f"hibari speaks English only, not {language!r}; kokoro may")
        if speaker and speaker.name != _SPEAKER:
            raise ConfigError(f"hibari has one speaker, {_SPEAKER!r}, and no {speaker.name!r}")
        reader = Reader("en", self._phonemiser, self._vocabulary, _LONGEST)
        yield Session(reader, self._say, _PACE, _LEVEL)

    async def enrol(self, sample: Audio) -> Speaker:
        raise InputError("hibari cannot learn a voice from a sample")

    def close(self) -> None:
        """Nothing to let go of: the session ends with the object."""

    async def _say(self, utterance: Utterance, _ahead: float) -> AsyncGenerator[Part]:
        try:
            part = await step(partial(self._run, utterance.symbols))
        except Exception as error:
            raise EngineError("voice", f"hibari cannot say this: {error}") from error
        yield part

    def _run(self, symbols: str) -> Part:
        ids = [0, *(self._vocabulary[symbol] for symbol in symbols), 0]
        speed = np.array([self._options.speed], np.float32)
        *parts, durations = cast(
            "list[NDArray[Any]]",
            self._session.run(None, {"ids": np.array([ids], np.int64), "speed": speed}),
        )
        noise = np.random.default_rng(0)  # the same words sound the same
        return Part(self._synth(*(part[0] for part in parts), noise), durations)

    def _phonemiser(self, language: str) -> Phonemiser:
        return self._romanised if language == "zh" else self._english

    def _romanised(self, text: str) -> list[Spoken]:
        """Say Chinese as an English reader would say its pinyin."""
        from pypinyin import lazy_pinyin

        return self._english(" ".join(lazy_pinyin(text, errors="ignore")))
