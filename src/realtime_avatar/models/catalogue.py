"""Which models there are: who made them, under which licence, where they can be had.

The catalogue itself is `catalogue.toml` beside this module. Names of files and of archive
members are checked here, so that nothing the store does later can lead out of its folder.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from realtime_avatar.errors import ConfigError

ANY_LANGUAGE = "*"


def _member(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r"[\\:\0]", path):
        raise ValueError("must be a relative path that stays inside the archive")
    return path


ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@][A-Za-z0-9._/-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
Member = Annotated[str, AfterValidator(_member)]
Role = Literal[
    "detector", "recognizer", "endpointer", "chat", "voice", "speaker", "face", "evaluation"
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Strict):
    """One file of a model, as it must be on this machine.

    Attributes:
        name: Its name in the model's folder; there are no folders inside.
        bytes: Its exact size; about, where no hash is known.
        sha256: Of the whole file, however many parts it came in; None where it is not known,
            and whatever the source gives is taken.
    """

    name: FileName
    bytes: PositiveInt
    sha256: Sha256 | None = None


class _Holder(_Strict):
    """Something with files of the model inside.

    Attributes:
        folder: Where all of the model's files are, under their own names.
        members: File name -> path, for those that are called otherwise or are but a part.
    """

    folder: Member | None = None
    members: dict[FileName, Member] = {}

    def holds(self, names: Iterable[str]) -> dict[str, str]:
        """Return file name -> path inside, for the `names` that this holds."""
        if self.folder is None:
            return dict(self.members)
        return {name: f"{self.folder}/{name}" for name in names} | self.members


class Archive(_Holder):
    """A wheel or a tarball.

    A file that is found in several archives of a source is joined from them, in order.

    Attributes:
        package: Its name in the registry.
        version: Exactly this one.
        bytes: About how much is downloaded.
        sha256: Of the archive itself, where known; it is checked before it is opened.
    """

    package: Package
    version: Version
    bytes: PositiveInt
    sha256: Sha256 | None = None


class PipSource(_Strict):
    """Wheels, fetched by `pip download`."""

    kind: Literal["pip"]
    archives: Annotated[tuple[Archive, ...], Field(min_length=1)]


class NpmSource(_Strict):
    """Tarballs, fetched by `npm pack`."""

    kind: Literal["npm"]
    archives: Annotated[tuple[Archive, ...], Field(min_length=1)]


class HubSource(_Holder):
    """Files of a repository at Hugging Face. Without `folder` or `members`: its top folder.

    Attributes:
        repo: "owner/name".
        revision: The commit.
    """

    kind: Literal["huggingface"]
    repo: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]

    def holds(self, names: Iterable[str]) -> dict[str, str]:
        """Return file name -> path in the repository."""
        names = tuple(names)
        return {name: name for name in names} | super().holds(names)


class PathSource(_Strict):
    """A folder, or the file itself, on this machine."""

    kind: Literal["path"]
    path: Path


Source = Annotated[PipSource | NpmSource | HubSource | PathSource, Field(discriminator="kind")]


class Model(_Strict):
    """One model.

    Attributes:
        id: What engines and the command line call it; also its folder's name.
        title: One line, for people.
        role: Which kind of engine uses it.
        purpose: What it is for, one sentence.
        languages: ISO 639-1 codes it is good at; "*" for nearly any; empty if none matters.
        licence: SPDX expression of the weights.
        origin: Page of the project that made it.
        attribution: Who is to be named.
        size: Bytes of all files together.
        default: Whether it is needed for the main job in English.
        alternative: Which model to use where this one cannot be had.
        files: What it consists of.
        sources: Where to get it, tried in order.
    """

    id: ModelId
    title: str
    role: Role
    purpose: str
    languages: tuple[str, ...]
    licence: str
    origin: str
    attribution: str
    size: PositiveInt
    default: bool = False
    alternative: ModelId | None = None
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    @property
    def unpinned(self) -> tuple[str, ...]:
        """Names of the files whose hash is not known."""
        return tuple(file.name for file in self.files if file.sha256 is None)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        names = [file.name for file in self.files]
        if len(set(names)) < len(names):
            raise ValueError("two files have the same name")
        if self.size != sum(file.bytes for file in self.files):
            raise ValueError("size is not the sum of the files' bytes")
        for source in self.sources:
            match source:
                case PipSource() | NpmSource():
                    held = {n for a in source.archives for n in a.holds(names)}
                case HubSource():
                    held = set(source.holds(names))
                case PathSource():
                    held = set(names)
            if held != set(names):
                odd = ", ".join(sorted(held ^ set(names)))
                raise ValueError(f"the {source.kind} source and the files differ: {odd}")
        return self


class Catalogue(_Strict):
    """All models.

    Attributes:
        models: In the order they are listed.
    """

    models: tuple[Model, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [model.id for model in self.models]
        if len(set(ids)) < len(ids):
            raise ValueError("two models have the same id")
        for model in self.models:
            if model.alternative is not None and model.alternative not in ids:
                raise ValueError(f"{model.id}: there is no model {model.alternative!r}")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a catalogue from TOML.

        Raises:
            ConfigError: naming the first thing in it that is unknown or makes no sense.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"the catalogue of models is not TOML: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"the catalogue of models: {where}: {first['msg']}") from None

    def __getitem__(self, model: str) -> Model:
        """Return the model of that id.

        Raises:
            ConfigError: if there is none.
        """
        for known in self.models:
            if known.id == model:
                return known
        ids = ", ".join(known.id for known in self.models)
        raise ConfigError(f"there is no model {model!r}; there are: {ids}")

    def defaults(self) -> tuple[Model, ...]:
        """Return the models that the main job in English needs."""
        return tuple(model for model in self.models if model.default)

    def voices_for(self, languages: Iterable[str]) -> tuple[Model, ...]:
        """Return the voice models that these languages need; English needs none.

        Raises:
            ConfigError: if no voice speaks one of them.
        """
        spoken = {"en"}.union(*(m.languages for m in self.models if m.role == "voice"))
        wanted = set(languages)
        if unknown := sorted(wanted - spoken):
            known = ", ".join(sorted(spoken))
            raise ConfigError(f"no voice speaks {unknown[0]!r}; there are voices for: {known}")
        wanted -= {"en"}  # its voice comes with the installation
        found = [m for m in self.models if m.role == "voice" and wanted & set(m.languages)]
        second_best = {m.alternative for m in found}
        return tuple(m for m in found if m.id not in second_best)


@cache
def bundled() -> Catalogue:
    """Return the catalogue that comes with the package."""
    return Catalogue.parse(files("realtime_avatar.models").joinpath("catalogue.toml").read_text())
