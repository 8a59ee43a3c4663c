"""From a recording to a voice that the avatar speaks with."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

from anyio import to_thread

from realtime_avatar.dialogue.conversation import last_word
from realtime_avatar.dialogue.ensemble import Ensemble
from realtime_avatar.dialogue.one_shot import hear
from realtime_avatar.engines.ports import RefiningVoiceEngine, Speaker, SpeechStart, VoiceEngine
from realtime_avatar.engines.registry import engine_class, names
from realtime_avatar.errors import ConsentError, InputError, ModelMissing
from realtime_avatar.hearing.score import errors
from realtime_avatar.identity.consent import Consent, check_spoken
from realtime_avatar.identity.voices import EnrolledVoice, check_name
from realtime_avatar.media import Audio
from realtime_avatar.media.audio import join, to_int16
from realtime_avatar.media.read import read_audio, refuse_silence
from realtime_avatar.media.resample import resample
from realtime_avatar.voice.campplus import CAMPPLUS, CamPlusPlus
from realtime_avatar.voice.sample import Sample, examine
from realtime_avatar.voice.speakers import DVECTOR, GE2E, DVector, Ge2e, similarity

T = TypeVar("T")

MAX_SECONDS: Final = 180
"""Of a recording that a voice is learned from."""

RATE: Final = 16_000
"""Of it, Hz."""

MODELS: Final = (GE2E, DVECTOR)
"""What enrolling needs, besides the engine's own models. With `CAMPPLUS` it finds better."""

_SAME: Final = {GE2E: 0.7, CAMPPLUS: 0.45}
"""Cosine from which the spoken consent and the sample are one speaker's. Two seconds of one
recording against the rest of it: 0.75 to 0.91, by CAM++ 0.52 to 0.85; of three people against
one another: below 0.5, and 0.23. Of Kokoro's stock voices 8% and 3% of the pairs pass for one."""
_GAIN: Final = 0.05
"""Of likeness by the second encoder, that a search must bring: it hears ten seconds, and the same
voice saying other words is up to that much more or less alike."""
_WRONG: Final = "words_wrong"
_CHANCE: Final = 0.02
"""Of the words of a language, that a voice may be misheard more than the guess: 106 characters do
not tell less apart. In all languages together it may not be."""
_UNSEEN: Final = {
    "en": (
        "The weather changed quickly, so we walked home along the river.",
        "Would you like to hear what my sister said about the museum on the other side of town?",
    ),
    "zh": (
        "天气突然变了，所以我们沿着河边走回家。",
        "你想听听我朋友是怎么介绍那家新饭店的吗？",
        "上个星期我把手机丢在出租车上了，幸好司机很快就送了回来。",
        "孩子们在院子里踢足球，奶奶坐在树下织毛衣。",
        "那位画家用三个月画完了这幅画，现在挂在图书馆的大厅里。",
    ),
    "es": (
        "El tiempo cambió de repente, así que volvimos a casa junto al río.",
        "¿Quieres saber lo que dijo mi hermana del museo del otro lado de la ciudad?",
    ),
}
"""What a voice is measured on; nothing is fitted on it. Tones are what is lost first."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an enrolment is.

    Attributes:
        stage: What goes on: "checking" the recording, "matching" (a first guess), "refining".
        share: Of that stage, in [0, 1].
        voice: What can be spoken with already; None before there is a guess.
        remarks: What a better recording would do better, one sentence each.
    """

    stage: Literal["checking", "matching", "refining", "done"]
    share: float
    voice: EnrolledVoice | None = None
    remarks: tuple[str, ...] = ()


class Enrolment:
    """Makes one voice; to be used once.

    Args:
        ensemble: The engines.
        name: What to call the voice.
        recording: 16 kHz, at most `MAX_SECONDS`.
        consent: Of the voice's owner, for this recording.
        spoken: Recording of the spoken consent, if there is one.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        name: str,
        recording: Audio,
        consent: Consent,
        spoken: Audio | None = None,
    ) -> None:
        self._ensemble, self._consent = ensemble, consent
        self.name = check_name(name)
        if self.name.casefold() in names("voice"):
            raise InputError(f"{self.name!r} is an engine's name; call the voice otherwise")
        self._recording, self._spoken, self._engine = recording, spoken, ensemble.settings.cloner
        self._sample: Sample | None = None
        self._voice: EnrolledVoice | None = None

    async def guess(self) -> AsyncGenerator[Progress]:
        """Check the recording, and keep a voice that is met at a first guess: seconds.

        Raises:
            InputError: if the recording is of no use, and what to do.
            ConsentError: if the spoken consent says something else, or in another voice.
            ModelMissing: if a model is not here.
        """
        yield Progress("checking", 0)
        await to_thread.run_sync(self._check_models)
        ge2e = await self._encoder()
        audio = _centred(self._recording)
        speech = await self._speech(audio)
        sample = self._sample = await to_thread.run_sync(examine, audio, speech, ge2e)
        if self._spoken is not None:
            yield Progress("checking", 0.7, None, sample.remarks)
            self._consent = await self._check_consent(self._spoken, sample.audio)
        yield Progress("matching", 0, None, sample.remarks)
        engine, _ = await self._ensemble.voice("en", self._engine)
        speaker = await engine.enrol(sample.audio)
        embedding = await to_thread.run_sync(ge2e.embed, sample.audio)
        voice = EnrolledVoice(
            self.name, self._engine, self._consent, speaker.data, embedding,
            figures=dict(sample.figures),
        )  # fmt: skip
        await self._keep(voice)
        yield Progress("matching", 1, voice, sample.remarks)

    def _check_models(self) -> None:
        store = self._ensemble.store
        wanted = (*MODELS, *engine_class("voice", self._engine).models)
        missing = [model for model in wanted if not store.has(model)]
        if missing:
            raise ModelMissing(
                "learning a voice needs models that are not here; fetch them: avatar models pull"
                f" {' '.join([*missing, *([] if store.has(CAMPPLUS) else [CAMPPLUS])])}"
            )

    async def refine(self) -> AsyncGenerator[Progress]:
        """Go on from the guess to a better likeness, which takes minutes of both cores.

        The voice that is kept is replaced when the search has ended, the second encoder
        agrees that it is more alike, and the recogniser understands it as well as the guess, in
        all languages that it speaks; a search that is left early changes nothing.

        Raises:
            ValueError: if there was no guess.
        """
        sample, voice = self._sample, self._voice
        if sample is None or voice is None:
            raise ValueError("guess first")
        engine, _ = await self._ensemble.voice("en", self._engine)
        ge2e, judge = await self._encoder(), await self._judge()
        figures = voice.figures | await self._figures(engine, voice.speaker, ge2e, judge)
        voice = replace(voice, figures=figures)
        best: Speaker | None = None
        if isinstance(engine, RefiningVoiceEngine):
            async with aclosing(engine.refine(sample.audio, voice.speaker)) as search:
                async for step in search:
                    best = step.speaker
                    yield Progress("refining", step.share, voice, sample.remarks)
        if not await to_thread.run_sync(self._ensemble.people.has, self.name):
            return  # withdrawn meanwhile
        if best is not None:
            figures = await self._figures(engine, best, ge2e, judge)
            gain = figures["judged_similarity"] - voice.figures["judged_similarity"]
            if gain > _GAIN and _as_clear(figures, voice.figures):
                figures = voice.figures | figures
                voice = replace(voice, style=best.data, refined=True, figures=figures)
        await self._keep(voice)
        yield Progress("done", 1, voice, sample.remarks)

    async def _keep(self, voice: EnrolledVoice) -> None:
        await to_thread.run_sync(self._ensemble.people.save, voice)
        self._voice = voice

    async def _encoder(self) -> Ge2e:
        store = self._ensemble.store
        return await to_thread.run_sync(lambda: Ge2e(store.path(GE2E)))

    async def _judge(self) -> DVector:
        store = self._ensemble.store
        return await to_thread.run_sync(lambda: DVector(store.path(DVECTOR)))

    async def _speech(self, audio: Audio) -> list[tuple[int, int]]:
        detector = await self._ensemble.detector()
        found: list[tuple[int, int]] = []
        start = 0
        async with detector.open(min_silence_ms=250, padding_ms=60) as session:
            async for event in session.detect(_once(audio)):
                if isinstance(event, SpeechStart):
                    start = event.at
                else:
                    found.append((start, event.at))
        return found

    async def _check_consent(self, audio: Audio, sample: Audio) -> Consent:
        """Return the consent with what is said in its recording, by whom.

        Raises:
            ConsentError: if it says something else, or in another voice.
        """
        heard = (await hear(self._ensemble, audio)).text
        check_spoken(heard)
        store = self._ensemble.store
        model = CAMPPLUS if store.has(CAMPPLUS) else GE2E

        def compare() -> float:
            folder = store.path(model)
            encoder = CamPlusPlus(folder) if model == CAMPPLUS else Ge2e(folder)
            return similarity(encoder.embed(audio), encoder.embed(sample))

        alike = await to_thread.run_sync(compare)
        if alike < _SAME[model]:
            raise ConsentError("the consent is spoken in another voice than the sample")
        return replace(self._consent, spoken=heard, spoken_similarity=round(alike, 3))

    async def _figures(
        self, engine: VoiceEngine, speaker: Speaker, ge2e: Ge2e, judge: DVector
    ) -> dict[str, float]:
        """Return how alike and how well understood a voice is, on what nothing was fitted on."""
        sample = self._sample
        assert sample is not None
        said = {
            language: await self._said(engine, speaker, language)
            for language in _UNSEEN
            if language in engine.languages
        }
        wrong = {f"{_WRONG}_{one}": await self._misheard(said[one], one) for one in said}
        english = join(said["en"])

        def measure(encoder: Ge2e | DVector) -> float:
            return round(similarity(encoder.embed(english), encoder.embed(sample.audio)), 3)

        return {
            "similarity": await to_thread.run_sync(partial(measure, ge2e)),
            "judged_similarity": await to_thread.run_sync(partial(measure, judge)),
            _WRONG: sum(wrong.values()) / len(wrong),
        } | wrong

    async def _said(self, engine: VoiceEngine, speaker: Speaker, language: str) -> list[Audio]:
        async with engine.open(language=language, speaker=speaker) as voice:
            return [
                join([audio async for audio in voice.speak(_once(text))])
                for text in _UNSEEN[language]
            ]

    async def _misheard(self, said: Sequence[Audio], language: str) -> float:
        """Return the share of words, of Chinese of characters, that are heard wrong."""
        recognizer = await self._ensemble.recognizer()
        wrong = whole = 0
        for sound, text in zip(said, _UNSEEN[language], strict=True):
            async with recognizer.open(languages=(language,)) as session:
                heard = await last_word(session, resample(sound, RATE))
            more, words = errors(text, heard.text, language)
            wrong, whole = wrong + more, whole + words
        return wrong / whole


def _as_clear(found: Mapping[str, float], before: Mapping[str, float]) -> bool:
    """Return whether a voice is understood as well as the one before, by `_figures` of both."""
    return found[_WRONG] <= before[_WRONG] and all(
        found[key] <= before[key] + _CHANCE for key in found if key.startswith(_WRONG)
    )


def read_recording(recording: Path) -> Audio:
    """Read a file for an enrolment. Blocking.

    Raises:
        InputError: if it is no recording, too long, or silent.
    """
    audio = read_audio(recording, rate=RATE, max_seconds=MAX_SECONDS)
    refuse_silence(audio, recording.name)
    return audio


def _centred(audio: Audio) -> Audio:
    """Return a recording without its constant offset, in which no detector hears speech."""
    sound = audio.float32()
    return Audio(to_int16(sound - sound.mean()), audio.rate, audio.start)


async def _once(item: T) -> AsyncGenerator[T]:
    yield item
