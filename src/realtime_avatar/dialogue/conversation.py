"""One person's conversation with one avatar."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.turn import Engines, Turn
from realtime_avatar.engines.ports import Chat, Face, Recognizer, Rig, Transcript
from realtime_avatar.errors import CapacityError, EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.playout import Playout
from realtime_avatar.telemetry.timings import Timings
from realtime_avatar.thinking.persona import Persona, system_prompt


class Conversation:
    """Hears a person and answers; made by `open_conversation`.

    Attributes:
        history: What was said and heard.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        persona: Persona,
        recognizer: Recognizer | None,
        chats: dict[str, Chat],
        face: Face,
    ) -> None:
        self._ensemble, self._persona = ensemble, persona
        self._recognizer, self._chats, self._face = recognizer, chats, face
        self.history = History()

    async def hear(self, utterance: Audio) -> Transcript:
        """Return what was said in a recording.

        Raises:
            EngineError: if the recogniser fails.
        """
        if self._recognizer is None:
            raise EngineError("recognizer", "this conversation was opened without one")
        return await last_word(self._recognizer, utterance)

    async def answer(
        self, text: str, language: str, playout: Playout, timings: Timings | None = None
    ) -> Turn:
        """Answer a text aloud; return the turn when it has been played out.

        Raises:
            ExceptionGroup: of AvatarErrors, one for each stage that failed.
        """
        self.history.system = system_prompt(self._persona, language)
        chat = self._chats.get(language) or next(iter(self._chats.values()), None)
        async with self._turn(chat, language, playout, timings) as turn:
            await turn.run(text)
        return turn

    async def say(
        self, text: str, language: str, playout: Playout, timings: Timings | None = None
    ) -> Turn:
        """Say a text itself; otherwise like `answer`."""
        async with self._turn(None, language, playout, timings) as turn:
            await turn.say(text)
        return turn

    @asynccontextmanager
    async def _turn(
        self, chat: Chat | None, language: str, playout: Playout, timings: Timings | None
    ) -> AsyncGenerator[Turn]:
        engine, speaker = await self._ensemble.voice(language)
        async with engine.open(language=language, speaker=speaker) as voice:
            yield Turn(Engines(voice, self._face, chat, FPS), self.history, playout, timings)


@asynccontextmanager
async def open_conversation(
    ensemble: Ensemble, rig: Rig, *, hears: bool = True, thinks: bool = True
) -> AsyncGenerator[Conversation]:
    """Open a conversation.

    Args:
        ensemble: The engines.
        rig: The avatar's portrait, enrolled by the ensemble's face.
        hears: Whether `Conversation.hear` will be called.
        thinks: Whether `Conversation.answer` will be called.
    """
    settings, persona = ensemble.settings, Persona(name=ensemble.settings.name)
    async with AsyncExitStack() as stack:
        recognizer = None
        if hears:
            engine = await ensemble.recognizer()
            recognizer = await stack.enter_async_context(engine.open(languages=settings.possible))
        chats: dict[str, Chat] = {}
        for language in settings.possible if thinks else ():
            # One for each language, so that its system message has been read before the
            # first question in it: seconds, on a small machine.
            system = system_prompt(persona, language)
            try:
                chats[language] = await stack.enter_async_context(
                    (await ensemble.chat()).open(system=system)
                )
            except CapacityError:
                if not chats:
                    raise
                break  # the other languages share the favourite's
        face = await stack.enter_async_context((await ensemble.face()).open(rig, fps=FPS))
        yield Conversation(ensemble, persona, recognizer, chats, face)


async def last_word(recognizer: Recognizer, utterance: Audio) -> Transcript:
    """Return a recognizer's final transcript of a recording."""
    heard = Transcript("", True, utterance.start, utterance.end)
    async with aclosing(recognizer.transcribe(_once(utterance))) as transcripts:
        async for transcript in transcripts:
            heard = transcript
    return heard


async def _once(audio: Audio) -> AsyncGenerator[Audio]:
    yield audio
