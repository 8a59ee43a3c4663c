"""One thing that a program asks for: a reply, a speech, a film, an answer to a recording."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from realtime_avatar.dialogue.conversation import open_conversation
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.one_shot import check_heard, check_text
from realtime_avatar.dialogue.turn import UNREADABLE
from realtime_avatar.engines.ports import Message, Rig, Transcript
from realtime_avatar.errors import InputError
from realtime_avatar.media import Audio
from realtime_avatar.media.language import guess_language
from realtime_avatar.media.playout import Playout
from realtime_avatar.thinking.persona import Persona, system_prompt

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taste:
    """How somebody wants to be answered.

    Attributes:
        language: To keep to, ISO 639-1; empty: as the settings say, else what is heard.
        voice: "engine" or "engine:speaker"; empty: as the settings say.
        history: Of the conversation that goes on.
        persona: Who answers; by default as the settings say.
    """

    language: str = ""
    voice: str = ""
    history: Sequence[Message] = ()
    persona: Persona | None = None

    def possible(self, ensemble: Ensemble) -> tuple[str, ...]:
        """Return the languages that are possible."""
        return (self.language,) if self.language else ensemble.settings.possible

    def of(self, text: str, ensemble: Ensemble) -> str:
        """Return the language to take for a text."""
        return guess_language(text, self.possible(ensemble))


@dataclass(frozen=True, slots=True)
class Answer:
    """What was made of a recording.

    Attributes:
        question: What was heard in it.
        text: What was said.
    """

    question: Transcript
    text: str


async def think(
    ensemble: Ensemble, messages: Sequence[Message], taste: Taste
) -> AsyncGenerator[str]:
    """Yield the reply to the last message, piece by piece.

    Args:
        ensemble: The engines.
        messages: A conversation. One without a system message gets the avatar's own.
        taste: How.
    """
    language = taste.of(messages[-1].text, ensemble)
    if messages[0].role != "system":
        prompt = system_prompt(taste.persona or ensemble.persona, language)
        messages = [Message("system", prompt), *messages]
    engine = await ensemble.chat(language, persona=taste.persona, aloud=False)
    toolbox = await ensemble.toolbox(language)
    tools = toolbox and replace(toolbox, filler="")  # nobody listens to the silence
    async with (
        engine.open(system=messages[0].text, tools=tools) as chat,
        aclosing(chat.reply(messages)) as reply,
    ):
        async for piece in reply:
            yield piece


async def speak(ensemble: Ensemble, text: str, taste: Taste) -> AsyncGenerator[Audio]:
    """Yield a text as speech.

    Raises:
        InputError: if there is nothing to say in the text, or too much, or nothing that the
            voice can read.
    """
    check_text(text)
    language = taste.of(text, ensemble)
    heard = False
    engine, speaker = await ensemble.voice(language, taste.voice)
    async with (
        engine.open(language=language, speaker=speaker) as voice,
        aclosing(voice.speak(_once(text))) as speech,
    ):
        async for audio in speech:
            heard = True
            yield audio
    if not heard:
        raise InputError(UNREADABLE)


async def show(ensemble: Ensemble, rig: Rig, speech: Audio, playout: Playout) -> None:
    """Play out a portrait that says a recording."""
    engine = await ensemble.face()
    async with (
        engine.open(rig, fps=FPS) as face,
        aclosing(face.animate(_once(speech))) as shots,
    ):
        await playout.play(shots)


async def say(ensemble: Ensemble, rig: Rig, text: str, taste: Taste, playout: Playout) -> None:
    """Play out a portrait that says a text.

    Raises:
        InputError: as of `speak`.
        ExceptionGroup: of AvatarErrors, if a stage failed.
    """
    check_text(text)
    language = taste.of(text, ensemble)
    async with open_conversation(
        ensemble, rig, hears=False, thinks=False, voice=taste.voice
    ) as conversation:
        turn = await conversation.say(text, language, playout)
    check_heard(turn)


async def answer(
    ensemble: Ensemble,
    rig: Rig,
    question: Audio,
    taste: Taste,
    playout: Playout,
    *,
    heard: Callable[[Transcript], Awaitable[None]] | None = None,
    told: Callable[[str], Awaitable[None]] | None = None,
) -> Answer:
    """Play out a portrait that answers a recording.

    Args:
        ensemble: The engines.
        rig: The portrait.
        question: 16 kHz.
        taste: How.
        playout: Where to.
        heard: Told what was heard.
        told: As of `Turn`.

    Raises:
        InputError: if nobody is heard to speak in it.
        ExceptionGroup: of AvatarErrors, if a stage failed.
    """
    languages = taste.possible(ensemble)
    async with open_conversation(
        ensemble, rig, languages=languages, voice=taste.voice, persona=taste.persona
    ) as conversation:
        conversation.history.replace(taste.history)
        transcript = await conversation.hear(question)
        if not transcript.text:
            raise InputError("nobody is heard to speak in the recording")
        if heard is not None:
            await heard(transcript)
        language = transcript.language if transcript.language in languages else languages[0]
        turn = await conversation.answer(transcript.text, language, playout, told=told)
    check_heard(turn)
    return Answer(transcript, turn.text.strip())


async def _once(item: T) -> AsyncGenerator[T]:
    yield item
