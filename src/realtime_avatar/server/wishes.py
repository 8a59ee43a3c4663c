"""What people and programs may ask for, checked against what is here."""

from typing import Annotated, Literal

from fastapi import Depends, File, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection

from realtime_avatar.dialogue.one_shot import MAX_TEXT
from realtime_avatar.dialogue.record import Record, messages_of
from realtime_avatar.dialogue.requests import Taste
from realtime_avatar.engines.ports import Message
from realtime_avatar.errors import InputError, StoreError
from realtime_avatar.identity.conversations import Conversation
from realtime_avatar.identity.store import UnknownConversation
from realtime_avatar.server.calls import Order
from realtime_avatar.server.owner import owner_of
from realtime_avatar.server.service import Service

MAX_HISTORY = 200
"""Messages of an earlier conversation."""


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of the app that is asked."""
    return connection.app.state.service


Shared = Annotated[Service, Depends(service_of)]
Owner = Annotated[str, Depends(owner_of)]
"""Hash of the token of who asks; empty without one."""

AvatarId = Annotated[str, Field(max_length=64, description="Of /avatars; by default the owner's.")]
LanguageCode = Annotated[
    str, Field(max_length=8, description="ISO 639-1; by default it is found out.")
]
VoiceId = Annotated[
    str, Field(max_length=80, description="Of /voices; by default the language's own.")
]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]


class Said(BaseModel):
    """One message of an earlier conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    text: str = Field(max_length=MAX_TEXT)


History = Annotated[list[Said], Field(max_length=MAX_HISTORY)]
_HISTORY: TypeAdapter[list[Said]] = TypeAdapter(History)


class Wish(BaseModel):
    """Whom a person wants to talk to, and how."""

    model_config = ConfigDict(extra="forbid")

    avatar: AvatarId = ""
    language: LanguageCode = ""
    voice: VoiceId = ""
    history: History = []
    conversation: Annotated[
        str, Field(max_length=64, description="Of /conversations: the earlier one that goes on.")
    ] = ""

    async def order(self, service: Service, owner: str) -> Order:
        """Return it as calls understand it.

        Args:
            service: Asked.
            owner: Hash of the token of who asks.

        Raises:
            InputError: if there is no such avatar, language or conversation.
        """
        check_language(service, self.language)
        avatar = service.avatars.get(self.avatar)
        history = messages(self.history)
        earlier = await self._earlier(service, owner)
        if earlier is not None:
            # Who was there knows what could not be stored.
            history = max(messages_of(earlier)[-MAX_HISTORY:], history, key=len)
        record = Record(
            service.journal,
            owner=owner,
            avatar=avatar.id,
            name=avatar.name,
            language=self.language,
            earlier=earlier,
        )
        return Order(avatar.rig, self.language, self.voice, history, record, avatar.persona)

    async def _earlier(self, service: Service, owner: str) -> Conversation | None:
        if not self.conversation or service.journal is None:
            return None
        try:
            return await service.journal.store.get(self.conversation, owner)
        except StoreError:  # the talk goes on; the page is told when it cannot be saved either
            return None
        except UnknownConversation:
            if self.history:  # it was deleted meanwhile, but not by who goes on with it
                return None
            raise


class Manner(BaseModel):
    """How a text is to be said.

    Attributes:
        text: It.
        language: Of it.
        voice: Whose.
    """

    model_config = ConfigDict(extra="forbid")

    text: Text
    language: LanguageCode = ""
    voice: VoiceId = ""

    async def taste(self, service: Service) -> Taste:
        """Return it as the engines understand it; see `taste_of`."""
        return await taste_of(service, self.language, self.voice)


Recording = Annotated[
    UploadFile,
    File(
        description="WAV, MP3, FLAC, Ogg, WebM, MP4 or AAC.",
        examples=["(the bytes of question.wav)"],
    ),
]
AvatarField = Annotated[AvatarId, Form()]
LanguageField = Annotated[LanguageCode, Form(examples=["en"])]
VoiceField = Annotated[VoiceId, Form()]
HistoryField = Annotated[
    str,
    Form(
        max_length=1_000_000,
        description='Earlier messages, JSON: [{"role": "user", "text": "…"}, …].',
    ),
]


def history_of(field: str) -> list[Said]:
    """Read a form's earlier messages.

    Raises:
        InputError: if they make no sense.
    """
    try:
        return _HISTORY.validate_json(field or "[]")
    except ValidationError as error:
        raise InputError(f"history: {error.errors()[0]['msg']}") from None


def messages(said: list[Said]) -> tuple[Message, ...]:
    """Return earlier messages as chats know them."""
    return tuple(Message(one.role, one.text) for one in said)


async def taste_of(
    service: Service,
    language: str = "",
    voice: str = "",
    history: list[Said] | None = None,
    avatar: str = "",
) -> Taste:
    """Return how somebody wants to be answered, and by which avatar.

    Raises:
        InputError: if nobody here speaks the language, or there is no such voice or avatar.
    """
    check_language(service, language)
    persona = service.avatars.get(avatar).persona
    return Taste(language, await find_voice(service, voice), messages(history or []), persona)


def check_language(service: Service, language: str) -> None:
    """Return if somebody here speaks a language, or it is empty.

    Raises:
        InputError: otherwise.
    """
    possible = service.settings.voice
    if language and language not in possible:
        raise InputError(f"nobody here speaks {language!r}; known are: {', '.join(possible)}")


async def find_voice(service: Service, name: str) -> str:
    """Return the id of a voice, given that or its name; "" of none.

    A person's voice is found before a stock one that is called the same: its id is its name. No
    other engine than those of the settings is loaded because a stranger names it.

    Raises:
        InputError: if there is no such voice.
    """
    if not name:
        return ""
    voices = await service.voices()
    ids = [voice["id"] for voice in voices if voice["id"].casefold() == name.casefold()]
    names = [voice["id"] for voice in voices if voice["name"] == name]
    if not ids + names:
        raise InputError(f"there is no voice {name!r} here; GET /api/v1/voices lists them")
    return (ids + names)[0]
