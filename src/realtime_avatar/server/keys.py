"""API keys: who may ask for what, until when. Only their hashes are kept."""

import hmac
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any, Final, Literal, get_args

from filelock import FileLock
from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from realtime_avatar.errors import ConfigError

Scope = Literal["talk", "hear", "chat", "speak", "film", "people", "memory", "operate", "all"]
"""Live and recorded conversations; transcription; chats; speech; films; bringing portraits and
voices; kept conversations; metrics; everything."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_PREFIX: Final = "ava"
_DAY: Final = 86_400  # seconds


class Key(BaseModel):
    """What is known of one key.

    Attributes:
        id: Public; a part of the key.
        name: Who has it.
        hash: SHA-256 of its secret, which is 256 random bits: nothing that could be guessed, so
            a slow hash would protect nothing.
        scopes: What it is for.
        created: Seconds since 1970.
        expires: The same; None: never.
        requests: A minute; None: as the settings say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    hash: str
    scopes: tuple[Scope, ...]
    created: int
    expires: int | None = None
    requests: int | None = None

    def allows(self, scope: str) -> bool:
        """Return whether it is for this."""
        return scope in self.scopes or "all" in self.scopes


_KEYS: TypeAdapter[list[Key]] = TypeAdapter(list[Key])


@dataclass(slots=True)
class Keys:
    """The keys of one file, which is read again when it has changed.

    Attributes:
        path: The file; it need not exist.
        clock: Seconds since 1970.
    """

    path: Path
    clock: Callable[[], float] = time.time
    _read: tuple[int, int] | None = None
    _keys: tuple[Key, ...] = ()

    def all(self) -> tuple[Key, ...]:
        """Return the keys, those that have expired too.

        Raises:
            ConfigError: if the file cannot be read.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._read, self._keys = None, ()
            return ()
        stamp = status.st_mtime_ns, status.st_ino
        if stamp != self._read:
            try:
                self._keys = tuple(_KEYS.validate_json(self.path.read_bytes()))
            except (OSError, ValidationError) as error:
                raise ConfigError(f"the API keys in {self.path} cannot be read") from error
            self._read = stamp
        return self._keys

    def valid(self) -> tuple[Key, ...]:
        """Return those that have not expired."""
        now = self.clock()
        return tuple(key for key in self.all() if key.expires is None or key.expires > now)

    def find(self, token: str) -> Key | None:
        """Return the valid key that somebody shows."""
        kind, _, rest = token.partition("_")
        number, _, secret = rest.partition("_")
        digest = _hash(secret)
        for key in self.valid() if kind == _PREFIX else ():
            if key.id == number and hmac.compare_digest(key.hash, digest):
                return key
        return None

    def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        days: float | None = None,
        requests: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key; return it with what its owner shows, which is kept nowhere.

        Args:
            name: Who gets it.
            scopes: What it is for.
            days: How long it is valid; None: for ever.
            requests: A minute.

        Raises:
            ConfigError: if the file cannot be written.
        """
        secret, now = token_urlsafe(32), int(self.clock())
        expires = None if days is None else now + round(days * _DAY)
        key = Key(
            id=token_hex(4),
            name=name,
            hash=_hash(secret),
            scopes=tuple(scopes),
            created=now,
            expires=expires,
            requests=requests,
        )
        self._change(lambda keys: [*keys, key])
        return key, f"{_PREFIX}_{key.id}_{secret}"

    def revoke(self, number: str) -> Key:
        """Make a key invalid, at once.

        Raises:
            ConfigError: if there is none of that id.
        """
        found = next((key for key in self.all() if key.id == number), None)
        if found is None:
            raise ConfigError(f"there is no API key {number!r}; `avatar keys list` shows them")
        self._change(lambda keys: [key for key in keys if key.id != number])
        return found

    def _change(self, change: Callable[[Sequence[Key]], list[Key]]) -> None:
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock")):
                kept: list[Any] = [key.model_dump() for key in change(self.all())]
                part.touch(0o600)
                part.write_text(json.dumps(kept, indent=1), "utf-8")
                part.replace(self.path)
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror}") from error
        self._read = None


def keys_file(wish: Path | None = None) -> Path:
    """Return the file of the settings, or the one in the user's data directory."""
    return wish or user_data_path("realtime-avatar") / "keys.json"


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
