"""One person's conversation with one avatar."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from realtime_avatar.dialogue.chats import Chats
from realtime_avatar.dialogue.ensemble import FPS, Ensemble
from realtime_avatar.dialogue.history import History
from realtime_avatar.dialogue.turn import Turn
from realtime_avatar.engines.ports import Chat, Face, Recognizer, Rig, Transcript
from realtime_avatar.errors import EngineError
from realtime_avatar.media import Audio
from realtime_avatar.media.playout import Playout
from realtime_avatar.telemetry.timings import Timings
from realtime_avatar.thinking.persona import Persona


class Conversation:
    """Hears a person and answers; made by `open_conversation`.

    Attributes:
        history: What was said and heard.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        recognizer: Recognizer | None,
        chats: Chats | None,
        face: Face,
        voice: str = "",
    ) -> None:
        self._ensemble, self._recognizer = ensemble, recognizer
        self._chats, self._face, self._voice = chats, face, voice
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
        self,
        text: str,
        language: str,
        playout: Playout,
        timings: Timings | None = None,
        told: Callable[[str], Awaitable[None]] | None = None,
    ) -> Turn:
        """Answer a text aloud; return the turn when it has been played out.

        Args:
            text: Of the person.
            language: Of the answer, ISO 639-1.
            playout: Where it is heard and seen.
            timings: To be filled in.
            told: As of `Turn`.

        Raises:
            ExceptionGroup: of AvatarErrors, one for each stage that failed.
        """
        chat = None
        if self._chats is not None:
            self.history.system = self._chats.system(language)
            chat = await self._chats.get(language)
        async with self._turn(chat, language, playout, timings, told) as turn:
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
        self,
        chat: Chat | None,
        language: str,
        playout: Playout,
        timings: Timings | None,
        told: Callable[[str], Awaitable[None]] | None = None,
    ) -> AsyncGenerator[Turn]:
        ensemble, wish = self._ensemble, self._voice
        async with ensemble.engines(language, self._face, chat, wish=wish) as engines:
            yield Turn(engines, self.history, playout, timings, told=told)


@asynccontextmanager
async def open_conversation(
    ensemble: Ensemble,
    rig: Rig,
    *,
    hears: bool = True,
    thinks: bool = True,
    languages: Sequence[str] = (),
    voice: str = "",
    persona: Persona | None = None,
) -> AsyncGenerator[Conversation]:
    """Open a conversation.

    Args:
        ensemble: The engines.
        rig: The avatar's portrait, enrolled by the ensemble's face.
        hears: Whether `Conversation.hear` will be called.
        thinks: Whether `Conversation.answer` will be called.
        languages: That it may be in, the likeliest first; by default as the settings say.
        voice: "engine" or "engine:speaker"; by default as the settings say.
        persona: Who the avatar is; by default as the settings say.
    """
    settings = ensemble.settings
    languages = languages or settings.possible
    async with AsyncExitStack() as stack:
        recognizer = chats = None
        if hears:
            engine = await ensemble.recognizer()
            recognizer = await stack.enter_async_context(engine.open(languages=languages))
        if thinks:
            chats = Chats(ensemble, stack, persona=persona)
            await chats.get(languages[0])
        face = await stack.enter_async_context((await ensemble.face()).open(rig, fps=FPS))
        yield Conversation(ensemble, recognizer, chats, face, voice)


async def last_word(recognizer: Recognizer, utterance: Audio) -> Transcript:
    """Return a recognizer's final transcript of a recording."""
    heard = Transcript("", True, utterance.start, utterance.end)
    async with aclosing(recognizer.transcribe(_once(utterance))) as transcripts:
        async for transcript in transcripts:
            heard = transcript
    return heard


async def _once(audio: Audio) -> AsyncGenerator[Audio]:
    yield audio
