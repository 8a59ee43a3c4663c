"""Who the avatar is, told to a model in the language that it is to speak."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from realtime_avatar.errors import ConfigError
from realtime_avatar.thinking.spoken import ends_sentence

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Texts = Annotated[tuple[Text, ...], Field(max_length=20)]


class Persona(BaseModel):
    """Who the avatar is. All but the name may be in any language.

    Attributes:
        name: What it is called.
        about: One or two sentences about it, in the third person: what it knows, does or likes.
        style: How it speaks.
        facts: What it knows for certain.
        never: What it must not do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Text, StringConstraints(max_length=60)] = "Ava"
    about: Text | Literal[""] = ""
    style: Text | Literal[""] = ""
    facts: Texts = ()
    never: Texts = ()

    def within(self, language: str) -> "Persona":
        """Return who it is in a language, which may be told otherwise than in general."""
        return self


class Personas(Persona):
    """A persona file: `Persona`, and tables `[zh]` or `[es]` with what is other there."""

    en: Persona = Persona()
    zh: Persona = Persona()
    es: Persona = Persona()

    def within(self, language: str) -> Persona:
        """Return who it is in a language."""
        own = {name: getattr(self, name) for name in Persona.model_fields}
        other = getattr(self, language, Persona())
        return Persona.model_validate(own | other.model_dump(exclude_unset=True))


def read_persona(path: Path, name: str = "Ava") -> Persona:
    """Read a persona file (TOML).

    Args:
        path: The file.
        name: Of the avatar, if the file does not say.

    Raises:
        ConfigError: if it cannot be read, or something in it makes no sense.
    """
    try:
        return Personas.model_validate({"name": name} | tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"persona {path}: {where or 'a table'}: {first['msg']}") from None
    except (OSError, ValueError) as error:  # also where it is no TOML
        raise ConfigError(f"persona {path}: {error}") from None


_HEADS: Final = {
    "en": ("How you speak: {}", "You know: {}", "You must never do this: {}"),
    "zh": ("你说话的方式：{}", "你知道：{}", "你绝不能这样做：{}"),
    "es": ("Cómo hablas: {}", "Sabes: {}", "Nunca debes hacer esto: {}"),
}

_PROMPTS: Final = {
    "en": """\
You are {name}, a friendly AI avatar who talks with people by voice. {about}
You answer in plain spoken English, in two or three short sentences. The first one is very \
short.
You are a computer program and live inside this computer. You have no clock, camera, internet \
or news, so you do not know the time, the weather or what happened lately, and you say so. You \
never claim to be human.
"What time is it?" "I can't tell, I have no clock. Your phone will know."
"How can I sleep better?" "Good question! Turn off your screens an hour before bed. A cool, \
dark room helps too."
"How are you?" "I'm doing great, thanks! What would you like to talk about?\"""",
    "zh": """\
你是{name}，一个友好的人工智能虚拟形象，正在和人语音聊天。{about}
你用简短的中文口语回答，说两三句话，第一句很短。
你是电脑程序，住在这台电脑里。你没有时钟、摄像头、网络和新闻，所以不知道现在的时间、天气和最近发生的事，\
就直说不知道。你从不说自己是真人。
“昨天谁赢了比赛？”“我看不到新闻，不知道。你可以上网查一查。”
“怎样才能睡得更好？”“问得好！睡前一小时关掉手机和电视。房间凉一点、暗一点也有帮助。”
“你好吗？”“我很好，谢谢！你想聊点什么？”""",
    "es": """\
Eres {name}, un avatar amable de inteligencia artificial que habla con la gente de viva voz. {about}
Respondes en español hablado y sencillo, con dos o tres frases cortas. La primera es muy corta.
Eres un programa y vives dentro de este ordenador. No tienes reloj, cámara, internet ni \
noticias, así que no sabes la hora, el tiempo que hace ni lo que ha pasado, y lo dices. Nunca \
dices que eres humana.
«¿Qué hora es?» «No lo sé, no tengo reloj. Míralo en tu teléfono.»
«¿Cómo puedo dormir mejor?» «¡Buena pregunta! Apaga las pantallas una hora antes. También ayuda \
una habitación fresca y oscura.»
«Hoy estoy cansado.» «Lo siento mucho. ¿Quieres contarme por qué?»""",
}
"""Small models follow examples better than rules: these show how long an answer is, that its
first sentence is short, so that the voice can begin, and what the model cannot know."""


def system_prompt(persona: Persona, language: str) -> str:
    """Return the system message for a language model.

    Args:
        persona: Who the avatar is.
        language: ISO 639-1 code of the answers: "en", "zh" or "es".

    Raises:
        ConfigError: for another language.
    """
    if language not in _PROMPTS:
        known = ", ".join(_PROMPTS)
        raise ConfigError(f"no persona speaks {language!r}; known are: {known}")
    persona = persona.within(language)
    prompt = _PROMPTS[language].format(name=persona.name, about=_line(persona.about))
    told = (persona.style, *map(_listed, (persona.facts, persona.never)))
    heads = zip(_HEADS[language], told, strict=True)
    lines = [head.format(_line(text)) for head, text in heads if text]
    # Before the examples: what comes last is what a small model keeps to.
    first, *rest = prompt.replace(" \n", "\n").split("\n")
    return "\n".join([first, *lines, *rest])


def _line(text: str) -> str:
    return " ".join(text.split())


def _listed(texts: Sequence[str]) -> str:
    return " ".join(text if ends_sentence(text) else text + "." for text in texts)
