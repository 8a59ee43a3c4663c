"""What programs send to the routes of `rest`, and what they are sent."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from realtime_avatar.server.wishes import AvatarId, History, LanguageCode, Manner, Text


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [value]})


class Heard(BaseModel):
    """What is said in a recording; `text` is empty where nobody speaks."""

    model_config = _example({"text": "What is the highest mountain?", "language": "en"})

    text: str
    language: str = Field(description="ISO 639-1; empty when unknown.")


class Asked(BaseModel):
    """A message to the avatar."""

    model_config = _example({"text": "What is the highest mountain?"})

    text: Text
    language: LanguageCode = ""
    history: History = []
    avatar: AvatarId = ""


class Reply(BaseModel):
    """What the avatar says."""

    model_config = _example({"text": "The highest mountain is Mount Everest."})

    text: str


class Speech(Manner):
    """A text to be spoken."""

    model_config = _example({"text": "Hello, I am new here.", "format": "mp3"})

    format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"


class Script(Manner):
    """A text to be said on video."""

    model_config = _example({"text": "Hello, I am new here."})

    avatar: AvatarId = ""


class FilmLink(BaseModel):
    """A film, kept for an hour."""

    model_config = _example({"video": "/api/v1/videos/kTqC0aYJ2nq4cVtq", "seconds": 1.8})

    video: str = Field(description="Its address.")
    seconds: float


class AnswerLink(FilmLink):
    """An answer on video."""

    model_config = _example(
        {
            "video": "/api/v1/videos/kTqC0aYJ2nq4cVtq",
            "seconds": 3.2,
            "question": {"text": "What is the highest mountain?", "language": "en"},
            "answer": "The highest mountain is Mount Everest.",
        }
    )

    question: Heard
    answer: str


class AvatarInfo(BaseModel):
    """Somebody to talk to."""

    model_config = _example(
        {
            "id": "default",
            "name": "Ava",
            "picture": "/api/v1/avatars/default/picture",
            "width": 512,
            "height": 512,
        }
    )

    id: str
    name: str
    picture: str = Field(description="Address of a JPEG.")
    width: int
    height: int


class VoiceInfo(BaseModel):
    """Somebody's voice."""

    model_config = _example({"id": "kokoro:af_heart", "name": "af_heart", "languages": ["en"]})

    id: str
    name: str
    languages: list[str]
