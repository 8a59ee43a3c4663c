"""Conversations to be kept, and a PostgreSQL server to keep them in."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from realtime_avatar.identity.conversations import Heading, Turn
from realtime_avatar.identity.store import Entry

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_USER, _PASSWORD = "postgres", "not:a/secret"


def entry(
    key: str,
    number: int = 1,
    said: str = "Hello",
    *,
    owner: str = "ann",
    day: int = 0,
    first: bool = True,
    **turn: Any,
) -> Entry:
    """Return a turn of a conversation, said some days after the others began."""
    start = START + timedelta(days=day)
    fields: dict[str, Any] = {"heard": f"You said: {said}", "state": "answered", **turn}
    return Entry(
        Heading(key, owner, "default", "Ava", "", start),
        Turn(number, said, start + timedelta(seconds=10 * number), **fields),
        first,
    )


def initdb() -> str | None:
    """Return the program that makes a PostgreSQL server's data; None where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(debian[-1]) if debian else None)
    return found and os.path.realpath(found)


class Postgres:
    """A PostgreSQL server on the loopback; it refuses to run as root, so somebody else does."""

    def __init__(self, program: str, folder: Path) -> None:
        self._programs, self._data = Path(program).parent, folder / "data"
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            person = pwd.getpwnam("postgres")
            os.chown(folder, person.pw_uid, person.pw_gid)
            self._who = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
        secret = folder / "password"
        secret.write_text(_PASSWORD)
        secret.chmod(0o644)
        made = [self._programs / "initdb", "-D", self._data, "-U", _USER, f"--pwfile={secret}"]
        made += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **self._who)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[Any] | None = None

    def url(self, name: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{_USER}:not%3Aa%2Fsecret@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", "", "-p"]
        command = [self._programs / "postgres", "-D", self._data, *options, str(self.port)]
        self._process = subprocess.Popen(
            [*map(str, command)], stderr=subprocess.DEVNULL, **self._who
        )
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None


@contextmanager
def postgres_server(program: str) -> Generator[Postgres]:
    """Run a server with a folder of its own, which its user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
