"""The main job without a microphone or a screen: files in, files out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from anyio import create_task_group, current_time, to_thread

from realtime_avatar.dialogue.conversation import Conversation, last_word, open_conversation
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.turn import Turn
from realtime_avatar.engines.ports import Rig, Transcript
from realtime_avatar.engines.registry import Kind
from realtime_avatar.errors import EngineError, InputError
from realtime_avatar.face.portrait import default_portrait, read_portrait
from realtime_avatar.media import Audio
from realtime_avatar.media.film import FilePlayout
from realtime_avatar.media.language import guess_language
from realtime_avatar.media.read import read_audio, refuse_silence
from realtime_avatar.telemetry.timings import Timings

MAX_TEXT = 5000
"""Characters that are said in one go."""

MAX_QUESTION = 60
"""Seconds of a question."""

Size = tuple[int, int] | None
"""Width and height of the picture, pixels; None for the portrait's own."""


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage, in seconds.

    Attributes:
        first: From the start of the job to its first result.
        busy: How long it worked.
        factor: Its work for each second of sound that it heard or made: the real-time factor.
    """

    first: float
    busy: float
    factor: float


@dataclass(frozen=True, slots=True)
class Film:
    """What was made. All times count from the start with the engines loaded, seconds.

    Attributes:
        video: The MP4 file.
        question: What was heard; empty when nothing was asked.
        answer: What was said.
        language: ISO 639-1.
        seconds: Duration of the film.
        elapsed: To the finished file.
        first_picture: To the first picture.
        loading: What it took before the start to load the engines and enrol the portrait.
        stages: By name, in order.
    """

    video: str
    question: str
    answer: str
    language: str
    seconds: float
    elapsed: float
    first_picture: float
    loading: float
    stages: dict[str, StageReport]


async def answer_file(ensemble: Ensemble, question: Path, out: Path, size: Size = None) -> Film:
    """Answer a recorded question on video.

    Args:
        ensemble: The engines.
        question: Any file with sound in it.
        out: The MP4 file.
        size: Of the picture.

    Raises:
        InputError: if the question or the portrait is no good, or nobody speaks in it.
        ExceptionGroup: of AvatarErrors, if a stage failed.
    """
    _check_target(out)
    # A bad question does not wait for the models.
    utterance = await to_thread.run_sync(_read, question, MAX_QUESTION)
    asked = current_time()
    await ensemble.recognizer()
    heard_at = current_time()
    heard = await hear(ensemble, utterance)
    hearing = current_time() - heard_at
    if not heard.text:
        raise InputError(f"nobody is heard to speak in {question}")
    # Only now is it known whose voice and whose system message are to be loaded.
    language = ensemble.settings.language or heard.language
    async with _stage(ensemble, size, ("chat", "voice", "face"), language) as stage:
        start = current_time() - hearing  # as if all had been there before the question came
        loading, timings = start - asked, Timings()
        async with FilePlayout(out, FPS) as playout:
            turn = await stage.answer(heard.text, language, playout, timings)
            check_heard(turn)
        report = {"recognizer": StageReport(hearing, hearing, hearing / utterance.seconds)}
        return _film(out, heard.text, turn, language, playout, timings, start, loading, report)


async def say_file(ensemble: Ensemble, text: str, out: Path, size: Size = None) -> Film:
    """Say a text on video; see `answer_file`.

    Raises:
        InputError: also if there is nothing to say in the text, or too much.
    """
    check_text(text)
    _check_target(out)
    settings = ensemble.settings
    language = settings.language or guess_language(text, settings.languages)
    asked = current_time()
    async with _stage(ensemble, size, ("voice", "face"), language) as stage:
        start, timings = current_time(), Timings()
        async with FilePlayout(out, FPS) as playout:
            turn = await stage.say(text, language, playout, timings)
            check_heard(turn)
        return _film(out, "", turn, language, playout, timings, start, start - asked, {})


def check_text(text: str) -> None:
    """Return if a text can be said.

    Raises:
        InputError: if there is nothing to say in it, or too much.
    """
    if len(text) > MAX_TEXT:
        raise InputError(f"the text has {len(text):,} characters; at most {MAX_TEXT:,} are said")
    if not any(letter.isalnum() for letter in text):
        raise InputError("there is nothing to say in the text")


async def transcribe_file(ensemble: Ensemble, recording: Path, max_seconds: float) -> Transcript:
    """Write down what is said in a recording.

    Raises:
        InputError: if the recording is no good.
    """
    return await hear(ensemble, await to_thread.run_sync(_read, recording, max_seconds))


async def hear(ensemble: Ensemble, utterance: Audio, languages: Sequence[str] = ()) -> Transcript:
    """Return what is said in some audio; `languages`: possible ones, else the settings'."""
    engine = await ensemble.recognizer()
    async with engine.open(languages=languages or ensemble.settings.possible) as recognizer:
        return await last_word(recognizer, utterance)


async def enrol(ensemble: Ensemble, size: Size) -> Rig:
    """Make the portrait of the settings, or the bundled one, ready to move.

    Raises:
        InputError: if it has no usable face.
    """
    path = ensemble.settings.portrait or default_portrait()
    portrait = await to_thread.run_sync(read_portrait, path)
    return await (await ensemble.face()).enrol(portrait, size=size)


def bundled(name: str) -> Path:
    """Return a file of the package's own data."""
    return Path(str(files("realtime_avatar") / "data" / name))


@asynccontextmanager
async def _stage(
    ensemble: Ensemble, size: Size, kinds: Sequence[Kind], language: str
) -> AsyncGenerator[Conversation]:
    """Load the engines, enrol the portrait, open a conversation in a language."""
    rigs: list[Rig] = []

    async def enrol_portrait() -> None:
        rigs.append(await enrol(ensemble, size))

    try:
        async with create_task_group() as tasks:
            tasks.start_soon(enrol_portrait)
            tasks.start_soon(ensemble.load, kinds, language)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    async with open_conversation(
        ensemble, rigs[0], hears=False, thinks="chat" in kinds, languages=(language,)
    ) as conversation:
        yield conversation


def _film(
    out: Path,
    question: str,
    turn: Turn,
    language: str,
    playout: FilePlayout,
    timings: Timings,
    start: float,
    loading: float,
    stages: dict[str, StageReport],
) -> Film:
    before = timings.start - start
    for name, stage in timings.stages.items():
        first = before + (stage.first or 0.0)
        stages[name] = StageReport(first, stage.busy, stage.busy / playout.seconds)
    return Film(
        video=str(out),
        question=question,
        answer=turn.text.strip(),
        language=language,
        seconds=playout.seconds,
        elapsed=current_time() - start,
        first_picture=stages["face"].first,
        loading=loading,
        stages=stages,
    )


def _read(recording: Path, max_seconds: float) -> Audio:
    audio = read_audio(recording, max_seconds=max_seconds)
    refuse_silence(audio, recording)
    return audio


def _check_target(out: Path) -> None:
    """Refuse a target that cannot be written, before any work is done for it."""
    if out.suffix.lower() != ".mp4":
        raise InputError(f"the film is an MP4 file; call it {out.with_suffix('.mp4')}")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write {out.name} into")
    if out.is_dir():
        raise InputError(f"{out} is a folder")


def check_heard(turn: Turn) -> None:
    """Return if anything of a turn was heard.

    Raises:
        EngineError: if nothing was.
    """
    if not turn.heard.strip():
        raise EngineError("voice", "there was nothing to say")
