"""Settings: flags over environment (`AVATAR_…`) over `avatar.toml`; unknown keys are errors."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from realtime_avatar.errors import ConfigError
from realtime_avatar.media.audio import Emotion
from realtime_avatar.processor import computes_chats


def _cores() -> int:
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


class IceServer(BaseModel):
    """A STUN or TURN server, as WebRTC calls them.

    Attributes:
        urls: Say ("stun:stun.example.org:3478",).
        username: For TURN.
        credential: For TURN.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class OwnAvatar(BaseModel):
    """A further avatar of the owner's, beside the one of the settings.

    Attributes:
        name: What it is called, if its persona does not say.
        portrait: Its photograph; the settings' when not given.
        persona: File that says who it is. Without one it is nobody in particular of that name,
            and without a name who the settings say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(max_length=60)] = ""
    portrait: Path | None = None
    persona: Path | None = None


def _free(key: str) -> str:
    if key == "default":
        raise ValueError("that is the avatar of the settings themselves")
    return key


_AvatarKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$"), AfterValidator(_free)
]


class McpServer(BaseModel):
    """A server of tools (Model Context Protocol): a program, or an address.

    Attributes:
        command: What to start, say ("uvx", "mcp-server-time"); it is spoken to by stdio.
        env: Environment variables for it, besides the few that every program needs.
        url: Of one that is spoken to by streamable HTTP, say "https://example.org/mcp".
        headers: For it, say {"Authorization": "Bearer …"}.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    env: dict[str, SecretStr] = {}
    url: str = ""
    headers: dict[str, SecretStr] = {}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a command or a url")
        return self


class Replicas(BaseModel):
    """How an engine runs on a cluster; see docs/scaling.md.

    Attributes:
        sessions: That one replica holds at most.
        cpus: Cores that each replica is promised, and computes with.
        gpus: GPUs, or a part of one.
        least: Replicas; with 0 there is none while nobody needs one.
        most: Replicas.
        idle_seconds: After so long with less to do there is one less.
        patience_seconds: A replica that owes an answer for so long is left for another; by
            default as its kind of engine allows: a face a second, a chat a minute.
        start_seconds: One that starts may take.
        check_seconds: Between two looks whether it is well.
        finish_seconds: That one which is replaced may take to finish.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sessions: int = Field(default=8, ge=1)
    cpus: float = Field(default=1, ge=0)
    gpus: float = Field(default=0, ge=0)
    least: int = Field(default=1, ge=0)
    most: int = Field(default=1, ge=1)
    idle_seconds: float = Field(default=300, gt=0)
    patience_seconds: float | None = Field(default=None, gt=0)
    start_seconds: float = Field(default=120, gt=0)
    check_seconds: float = Field(default=2, gt=0)
    finish_seconds: float = Field(default=20, ge=0)


class Cluster(BaseModel):
    """Engines on other machines, by Ray Serve; see docs/scaling.md.

    Attributes:
        enabled: Whether there are any: `avatar serve --cluster`.
        address: Of the cluster's head, "host:port"; empty: the one that this machine belongs
            to, or one that is started on it.
        kinds: Of engines that run there; others run in the server.
        engines: How they run, by their name or "kind.name".
        cover: Face engine in the server that shows the face while no replica does; empty: none.
        frames: How pictures travel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    address: str = ""
    kinds: tuple[Literal["detector", "recognizer", "endpointer", "chat", "voice", "face"], ...] = (
        "recognizer",
        "voice",
        "face",
    )
    engines: dict[str, Replicas] = {}
    cover: str = "photo"
    frames: Literal["nv12", "jpeg"] = "nv12"


class Settings(BaseSettings):
    """All that an owner may choose.

    Attributes:
        languages: ISO 639-1 codes that the avatar hears and speaks, the favourite first.
        language: The one that it keeps to; empty follows the person's.
        name: What the avatar is called, if its persona does not say.
        persona: File that says who it is; see `thinking.persona`.
        portrait: Its photograph; the bundled one when not given.
        avatars: Others that people may talk to instead, by their ids.
        detector: Engine that hears when somebody speaks.
        recognizer: Engine that hears what they say.
        endpointer: Engine that tells whether they have finished.
        chat: Engine that thinks of an answer, or several: where one has none, the next is asked.
            "auto" is "local" where the processor can compute it, "llama" elsewhere.
        voice: Who speaks each language: "engine", "engine:speaker", or an enrolled voice's name.
        cloner: Engine that speaks with the voices of people.
        face: Engine that shows the face.
        emotion: How the face looks while it speaks, unless the reply's tags say otherwise.
        engines: Each engine's own options, by its name.
        cluster: Other machines that engines run on.
        knowledge: File of the avatar's documents, which `avatar knowledge` fills; by default in
            the user's data.
        tools: Python functions that the chat may call, by name; see `thinking.functions`.
        mcp: Servers of further tools, by a name of the owner's.
        tool_seconds: How long one call may take.
        models: Folder of the model store; by default in the user's cache.
        people: Folder of enrolled voices and of records of consent; by default in the user's data.
        offline: Never fetch anything.
        threads: How many an engine may compute with at once.
        device: On which heavy engines compute: "auto", "cpu", "cuda:0", "cuda:1", …, "mps".
        host: Address that the server listens on.
        port: The same; 0 takes a free one.
        tls_cert: Certificate for https, PEM; browsers allow the microphone on https and on
            this machine only.
        tls_key: Its key, if it is not in the same file.
        origins: Other sites that may embed the avatar, say ("https://example.org",).
        keys: File of API keys, which `avatar keys` writes; by default in the user's data.
        require_keys: Whether everybody must show one; by default only if others than this
            machine can reach the server. False lets anybody in.
        requests_a_minute: Of each key and each address.
        megabytes_a_minute: That each of them may send.
        largest_upload: Bytes of one request.
        ice_servers: STUN and TURN servers, for people who are not on the same network.
        max_sessions: Conversations at once; by default as many as there are cores.
        jobs: Requests of programs that are worked on at once, beside the conversations; by
            default half as many as there are cores.
        jobs_waiting: That may wait for it; more are refused.
        longest_recording: Seconds of a recording that a program may send.
        idle_seconds: After so long without a word from the person a conversation ends.
        finish_seconds: How long a sentence may go on after the server was told to stop.
        video_codec: Preferred codec; "auto" leaves it to the browser.
        video_bits: Of video, a second.
        log_speech: Whether logs may hold what was said.
        log_json: Whether logs are JSON, one object a line, rather than for people.
        database: Where conversations are kept: a file, or a URL "postgresql://…"; empty: a file
            in the user's data directory; "none": they are not.
        keep_days: So long after its last turn a conversation is kept; 0: for ever.
        keep_conversations: So many are kept, the newest; 0: all.
        otel: Whether every turn is an OpenTelemetry span.
    """

    model_config = SettingsConfigDict(
        toml_file="avatar.toml",
        env_prefix="AVATAR_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    languages: tuple[str, ...] = ("en", "zh", "es")
    language: str = ""
    name: str = "Ava"
    persona: Path | None = None
    portrait: Path | None = None
    avatars: dict[_AvatarKey, OwnAvatar] = {}
    detector: str = "silero"
    recognizer: str = "whisper"
    endpointer: str = "smart-turn"
    chat: str | Annotated[tuple[str, ...], Field(min_length=1)] = "auto"
    voice: dict[str, str] = {"en": "hibari", "zh": "kokoro", "es": "kokoro"}
    cloner: str = "kokoro"
    face: str = "photo"
    emotion: Emotion = "warm"
    engines: dict[str, dict[str, Any]] = Field(default={}, repr=False)  # it may hold keys
    cluster: Cluster = Cluster()
    knowledge: Path | None = None
    tools: tuple[str, ...] = ()
    mcp: dict[str, McpServer] = {}
    tool_seconds: float = Field(default=10, gt=0, le=600)
    models: Path | None = None
    people: Path | None = None
    offline: bool = False
    threads: int = Field(default_factory=_cores, ge=1)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    origins: tuple[str, ...] = ()
    keys: Path | None = None
    require_keys: bool | None = None
    requests_a_minute: int = Field(default=600, ge=1)
    megabytes_a_minute: int = Field(default=500, ge=1)
    largest_upload: int = Field(default=20_000_000, ge=1000)
    ice_servers: tuple[IceServer, ...] = ()
    max_sessions: int = Field(default_factory=_cores, ge=1)
    jobs: int = Field(default_factory=lambda: max(1, _cores() // 2), ge=1)
    jobs_waiting: int = Field(default=32, ge=0)
    longest_recording: float = Field(default=600, gt=0)
    idle_seconds: float = Field(default=600, gt=0)
    finish_seconds: float = Field(default=20, ge=0)
    video_codec: Literal["auto", "h264", "vp8"] = "auto"
    video_bits: int = Field(default=1_200_000, ge=100_000, le=20_000_000)
    log_speech: bool = False
    log_json: bool = False
    database: str = ""
    keep_days: float = Field(default=90, ge=0)
    keep_conversations: int = Field(default=10_000, ge=0)
    otel: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def chats(self) -> tuple[str, ...]:
        """The chat engines, the favourite first.

        "auto" is the best that runs here, or the one of the two whose options are set.
        """
        named = (self.chat,) if isinstance(self.chat, str) else self.chat
        given = [name for name in ("local", "llama") if name in self.engines]
        best = given[0] if given else "local" if "auto" in named and computes_chats() else "llama"
        return tuple(best if name == "auto" else name for name in named)

    def chosen(self, kind: str) -> tuple[str, ...]:
        """Return the names of the engines of a kind; of voices, those of all languages."""
        match kind:
            case "chat":
                return self.chats
            case "voice":
                return tuple(sorted({name.partition(":")[0] for name in self.voice.values()}))
            case _:
                return (getattr(self, kind),)

    @property
    def knowledge_file(self) -> Path:
        """The file of the avatar's documents, which need not be there."""
        own = platformdirs.user_data_path("realtime-avatar") / "knowledge.sqlite3"
        return self.knowledge or own

    @property
    def possible(self) -> tuple[str, ...]:
        """Languages that a conversation may be in: the one it keeps to, or all."""
        return (self.language,) if self.language else self.languages

    def voice_for(self, language: str) -> tuple[str, str]:
        """Return the voice engine and speaker (empty: the engine's choice) for a language.

        Raises:
            ConfigError: if the settings name none.
        """
        if language not in self.voice:
            known = ", ".join(self.voice)
            raise ConfigError(f"no voice speaks {language!r}; the settings name one for: {known}")
        engine, _, speaker = self.voice[language].partition(":")
        return engine, speaker


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are None do not count.

    Raises:
        ConfigError: naming the first setting that is unknown or makes no sense.
    """
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {where!r}: {first['msg']}") from None
    except (OSError, ValueError) as error:  # avatar.toml cannot be read or parsed
        raise ConfigError(f"avatar.toml: {error}") from error
    unknown = {settings.language, *settings.languages} - {""} - set(settings.voice)
    if unknown:
        known = ", ".join(settings.voice)
        raise ConfigError(f"unknown language {min(unknown)!r}; there are voices for: {known}")
    return settings
