"""Recognition by Whisper: CTranslate2's encoder, through faster-whisper, and a decoder."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.engines.ports import Phrase, Transcript
from realtime_avatar.engines.registry import Context
from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.hearing.activity import RATE
from realtime_avatar.hearing.decode import LIVE_TAIL, TAIL, Decoder, Heard, twice
from realtime_avatar.hearing.pieces import Cutter, Piece
from realtime_avatar.hearing.silero import SpeechProbability, open_silero
from realtime_avatar.hearing.stream import compute, portions
from realtime_avatar.hearing.writer import Writer
from realtime_avatar.media.audio import Audio
from realtime_avatar.media.language import UNSPACED
from realtime_avatar.models.store import ModelStore

SAME: Final = 3.0  # how much likelier people go on in the language that they spoke last
SURE: Final = 0.8  # share of a language among the allowed ones below which it is looked at again
CERTAIN: Final = 0.97  # and from which so much of an utterance tells that of the rest
LONG_ENOUGH: Final = RATE  # samples
# What Whisper invents for hums and breath has no_speech of 0.6 and more; what is said has
# less than 0.45, or is certain enough otherwise.
NO_SPEECH: Final = 0.5
DOUBT: Final = -0.7  # mean log probability of a token
OWN: Final = "int8_float32"
"""The precision of CTranslate2 that the decoder of our own has too."""
LEFT: Final = RATE  # samples: if Whisper stops that much too early, it is asked for the rest


class Options(BaseModel):
    """Settings of the engine.

    Attributes:
        model: Of the catalogue, or as faster-whisper calls it ("small",
            "large-v3-turbo"; fetched from Hugging Face into its own cache), or the path
            of a CTranslate2 folder.
        device: What it runs on: "cpu", "cuda" or "cuda:1"; "auto" is a GPU if CTranslate2 sees
            one. By default the settings' device, whose "auto" is the CPU here: CTranslate2
            needs libraries of CUDA that no extra of ours brings.
        compute_type: Of CTranslate2.
        threads: That one piece is heard on. With CTranslate2's decoder more are slower: its
            steps are so short that threads wait for one another most of the time (0.23 s on one
            core, 0.38 s on two).
        beam: Hypotheses followed at once; with fewer it is faster and hears a little worse.
        live_beam: The same, while somebody waits.
        partials: Whether to guess as soon as the speaker pauses. The guess is kept if
            nothing more is said, so that in a live conversation the last word comes
            sooner; for files it is work for nothing.
    """

    model_config = ConfigDict(extra="forbid")

    model: str = "whisper-base"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)?$")] = ""
    compute_type: str = "int8"
    threads: Annotated[int, Field(ge=1)] = 1
    beam: Annotated[int, Field(ge=1, le=10)] = 5
    live_beam: Annotated[int, Field(ge=1, le=10)] = 2
    partials: bool = False


class Whisper:
    """Hears words."""

    models: ClassVar[tuple[str, ...]] = ("whisper-base",)

    def __init__(self, context: Context) -> None:
        options = context.parse(Options)
        folder = _folder(options.model, context.store)
        from faster_whisper import WhisperModel

        wanted = options.device or context.device.replace("mps", "cpu").replace("auto", "cpu")
        device, _, index = wanted.partition(":")
        try:
            model = WhisperModel(
                str(folder),
                device=device,
                device_index=int(index or 0),
                compute_type=options.compute_type,
                cpu_threads=options.threads,
                num_workers=max(1, context.threads // options.threads),
            )
        except RuntimeError as error:
            raise ModelMissing(f"the model in {folder} cannot be loaded: {error}") from error
        self.decoder = Decoder(model, _writer(folder, model))
        self.beam, self.live_beam = options.beam, options.live_beam
        self.silero: Any = open_silero()
        self.partials = options.partials

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes that it knows."""
        return self.decoder.languages

    @asynccontextmanager
    async def open(
        self, *, languages: Sequence[str] = (), live: bool = False
    ) -> AsyncGenerator["WhisperRecognizer"]:
        """Open a session; see `RecognizerEngine.open`."""
        for language in languages:
            if language not in self.languages:
                raise ConfigError(f"this Whisper model does not know the language {language!r}")
        yield WhisperRecognizer(self, tuple(languages) or self.languages, live=live)

    def close(self) -> None:
        """Let go of the weights."""
        self.decoder.close()
        self.silero = None


class WhisperRecognizer:
    """One session of `Whisper`."""

    def __init__(self, engine: Whisper, languages: tuple[str, ...], *, live: bool) -> None:
        self._engine, self._languages, self._live = engine, languages, live
        self._spoken = ""  # the language that was heard last
        self._began = -1  # first sample of the utterance that was heard last, and the
        self._certain = ""  # language of that, if there is no doubt
        self._heard = "", -1, tuple[int, ...]()  # language, first sample and tokens, of late

    async def transcribe(self, audio: AsyncIterable[Audio]) -> AsyncGenerator[Transcript]:
        """Yield what is said, however long it is.

        Speech that goes on for half a minute, or pauses for long, is heard in pieces as
        it comes in, and each piece yields a guess with all of the text so far.
        """
        engine, cutter, start, end = self._engine, None, 0, 0
        phrases: list[_Phrase] = []
        guess: _Phrase | None = None
        async with aclosing(portions(audio, at_least=0.1, at_most=10)) as stream:
            async for portion in stream:
                if cutter is None:
                    start = portion.start
                    if not self._live or start != self._began:
                        self._began, self._certain = start, ""
                    cutter = Cutter(SpeechProbability(engine.silero), portion.rate, start)
                end = portion.end
                for piece in await compute("recognizer", partial(cutter.push, portion)):
                    phrases.append(await self._hear(piece, guess))
                    if phrases[-1].text:
                        yield _transcript(phrases, start, end, final=False)
                if engine.partials and (piece := cutter.peek()):
                    known = guess
                    guess = await self._hear(piece, guess)
                    if guess is not known and guess.text:
                        yield _transcript([*phrases, guess], start, end, final=False)
        if cutter is not None:
            for piece in await compute("recognizer", cutter.flush):
                phrases.append(await self._hear(piece, guess))  # noqa: PERF401 (it awaits)
        yield _transcript(phrases, start, end, final=True)

    async def _hear(self, piece: Piece, guess: "_Phrase | None") -> "_Phrase":
        """Return the words of a piece: the guess, if it was made from the same piece."""
        if guess and (guess.start, guess.end) == (piece.start, piece.end):
            return guess
        texts: list[str] = []
        parts: list[Phrase] = []
        language, samples = self._certain, piece.samples
        while True:
            gone = len(piece.samples) - len(samples)
            heard, language = await self._decode(samples, language, piece.start + gone)
            if not _said(heard):
                break
            self._spoken = language
            texts.append(heard.text)
            parts += [
                Phrase(text, piece.at(gone + start), piece.at(gone + end))
                for start, end, text in heard.spans
            ]
            samples = samples[heard.end :]
            if heard.end < LEFT or len(samples) < LEFT:
                break
        text = _joined(texts, language)
        return _Phrase(text, language if text else "", piece.start, piece.end, tuple(parts))

    async def _decode(
        self, samples: NDArray[np.float32], language: str, start: int
    ) -> tuple[Heard, str]:
        """Return the words of some speech and its language, which may be known.

        Args:
            samples: float32, 16 kHz.
            language: Empty, if it is not known.
            start: Which sample of the stream is about the first.
        """
        engine, decoder, live = self._engine, self._engine.decoder, self._live
        beam = engine.live_beam if live else engine.beam

        # The decoder holds nothing between steps, so a guess that has become stale is left to
        # itself and does not keep what was said since waiting.
        async def encode(*, full: bool) -> Any:
            work = partial(decoder.encode, samples, tail=LIVE_TAIL if live else TAIL, full=full)
            return await compute("recognizer", work, leave=live)

        async def decode(*, allow_repeats: bool = True, guess: tuple[int, ...] = ()) -> Heard:
            work = partial(decoder.decode, encoded, language, len(samples), beam=beam)
            work = partial(work, allow_repeats=allow_repeats, guess=guess)
            return await compute("recognizer", work, leave=live)

        encoded, full = await encode(full=False), False
        if not language:
            language, share = await self._language(encoded)
            if share < SURE:
                encoded, full = await encode(full=True), True
                language, _ = await self._language(encoded)
            elif self._live and share > CERTAIN and len(samples) > LONG_ENOUGH:
                self._certain = language
        *before, tokens = self._heard
        heard = await decode(guess=tokens if before == [language, start] else ())
        if (heard.looping or twice(heard.text)) and not full:
            encoded = await encode(full=True)
            heard = await decode()
        if heard.looping:
            heard = await decode(allow_repeats=False)
        self._heard = language, start, () if heard.looping else heard.tokens
        return heard, language

    async def _language(self, encoded: Any) -> tuple[str, float]:
        """Return the likeliest of the session's languages, and its share among them."""
        if len(self._languages) == 1:
            return self._languages[0], 1.0
        work = partial(self._engine.decoder.probable, encoded)
        found = await compute("recognizer", work, leave=self._live)
        weights = {language: found.get(language, 0.0) for language in self._languages}
        if self._spoken:
            weights[self._spoken] *= SAME
        best = max(weights, key=weights.__getitem__)
        return best, weights[best] / (sum(weights.values()) or 1.0)


@dataclass(frozen=True, slots=True)
class _Phrase:
    """What was heard in a piece: no words, hence no language, if nobody spoke."""

    text: str
    language: str
    start: int
    end: int
    parts: tuple[Phrase, ...]


def _said(heard: Heard) -> bool:
    """Tell whether somebody really said this."""
    invented = heard.no_speech > NO_SPEECH and heard.confidence < DOUBT
    return not invented and any(letter.isalnum() for letter in heard.text)


def _joined(texts: Sequence[str], language: str) -> str:
    return ("" if language in UNSPACED else " ").join(texts)


def _transcript(phrases: Sequence[_Phrase], start: int, end: int, *, final: bool) -> Transcript:
    """Join the phrases of a stream, which so far lies from start to end."""
    phrases = [phrase for phrase in phrases if phrase.text]
    if not phrases:
        return Transcript("", final, start, end)
    text = phrases[0].text
    for before, phrase in pairwise(phrases):
        script = phrase.language if before.language in UNSPACED else before.language
        text = _joined([text, phrase.text], script)
    spoken = Counter[str]()
    for phrase in phrases:
        spoken[phrase.language] += phrase.end - phrase.start
    ((language, _),) = spoken.most_common(1)
    end = min(phrases[-1].end, end)
    parts = tuple(part for phrase in phrases for part in phrase.parts)
    return Transcript(text, final, phrases[0].start, end, language, parts)


def _writer(folder: Path, model: Any) -> Writer | None:
    """Return what writes instead of CTranslate2, which repacks all weights for each token.

    On a GPU it does not, and not every model in its format says all that the writer wants.
    """
    if model.model.device != "cpu" or model.model.compute_type != OWN:
        return None
    try:
        return Writer(folder, model.hf_tokenizer, multilingual=model.model.is_multilingual)
    except ModelMissing as error:
        logging.getLogger(__name__).info("Whisper decodes by CTranslate2: %s", error)
        return None


def _folder(model: str, store: ModelStore) -> Path:
    """Return where the weights are.

    Raises:
        ConfigError: if there is no model of this name.
        ModelMissing: if it is not here and cannot be fetched.
    """
    from faster_whisper import available_models, download_model

    if model not in {known.id for known in store.catalogue.models}:
        if Path(model).is_dir():
            if not (Path(model) / "model.bin").is_file():
                raise ModelMissing(f"{model} holds no Whisper model for CTranslate2 (model.bin)")
            return Path(model)
        if model in available_models():
            try:
                return Path(download_model(model, local_files_only=store.offline))
            except Exception as error:
                why = str(error).partition("\n")[0]
                raise ModelMissing(f"Whisper {model!r} cannot be fetched: {why}") from error
    return store.path(model)
