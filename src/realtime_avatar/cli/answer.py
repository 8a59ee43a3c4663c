"""`avatar answer`, `say` and `transcribe`: one thing in a file, another out."""

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from realtime_avatar.cli.report import print_film, print_json, working
from realtime_avatar.config import Settings, load_settings
from realtime_avatar.errors import InputError

Portrait = Annotated[
    Path | None, typer.Option(help="Photograph of the avatar; by default the bundled one.")
]
Voice = Annotated[
    str | None,
    typer.Option(help="Voice for every language: ENGINE or ENGINE:SPEAKER, say kokoro:af_bella."),
]
Language = Annotated[
    str | None, typer.Option(help="Keep to this language (en, zh, es); by default it is heard.")
]
Square = Annotated[
    int | None,
    typer.Option(
        "--square",
        min=64,
        max=1080,
        help="Crop the picture to a square of so many pixels; by default a portrait keeps its"
        " shape.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

MAX_TRANSCRIPT_SECONDS = 4 * 3600


def answer(
    question: Annotated[
        Path | None, typer.Argument(help="Recording of the question; by default a bundled one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The film.")] = Path("answer.mp4"),
    portrait: Portrait = None,
    voice: Voice = None,
    language: Language = None,
    square: Square = None,
    json: Json = False,
) -> None:
    """Hear a spoken question; answer it on video."""
    settings = settings_of(portrait, voice, language)
    with working("Answering", quiet=json):
        film = anyio.run(partial(_answer, settings, question, out, square))
    print_film(film, as_json=json)


def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    out: Annotated[Path, typer.Option(help="The film.")] = Path("say.mp4"),
    portrait: Portrait = None,
    voice: Voice = None,
    language: Language = None,
    square: Square = None,
    json: Json = False,
) -> None:
    """Say a text on video."""
    settings = settings_of(portrait, voice, language)
    if text == "-":
        text = sys.stdin.read()
    with working("Speaking", quiet=json):
        film = anyio.run(partial(_say, settings, text, out, square))
    print_film(film, as_json=json)


def transcribe(
    recording: Annotated[Path, typer.Argument(help="Any file with sound in it.")],
    language: Language = None,
    json: Json = False,
) -> None:
    """Write down what is said in a recording."""
    settings = load_settings(language=language)
    with working("Listening", quiet=json):
        report = anyio.run(partial(_transcribe, settings, recording))
    if json:
        print_json(report)
    else:
        print(report["text"])


def settings_of(portrait: Path | None, voice: str | None, language: str | None) -> Settings:
    settings = load_settings(portrait=portrait, language=language)
    if voice:
        settings = load_settings(
            portrait=portrait, language=language, voice=dict.fromkeys(settings.voice, voice)
        )
    return settings


async def _answer(
    settings: Settings, question: Path | None, out: Path, square: int | None
) -> dict[str, Any]:
    from realtime_avatar.dialogue.ensemble import Ensemble
    from realtime_avatar.dialogue.one_shot import answer_file, bundled

    question = question or bundled(f"questions/{settings.language or 'en'}.flac")
    async with Ensemble(settings) as ensemble:
        return asdict(await answer_file(ensemble, question, out, size_of(settings, square)))


async def _say(settings: Settings, text: str, out: Path, square: int | None) -> dict[str, Any]:
    from realtime_avatar.dialogue.ensemble import Ensemble
    from realtime_avatar.dialogue.one_shot import say_file

    async with Ensemble(settings) as ensemble:
        return asdict(await say_file(ensemble, text, out, size_of(settings, square)))


async def _transcribe(settings: Settings, recording: Path) -> dict[str, Any]:
    from realtime_avatar.dialogue.ensemble import Ensemble
    from realtime_avatar.dialogue.one_shot import transcribe_file

    async with Ensemble(settings) as ensemble:
        heard = await transcribe_file(ensemble, recording, MAX_TRANSCRIPT_SECONDS)
    if not heard.text:
        raise InputError(f"nobody is heard to speak in {recording}")
    return asdict(heard)


def size_of(settings: Settings, square: int | None) -> tuple[int, int] | None:
    """A portrait keeps its own shape unless a square is asked for; the bundled one is cropped."""
    if square is None and settings.portrait:
        return None
    side = (square or 512) // 2 * 2
    return side, side
