"""SQLite by default, PostgreSQL by URL: connecting, and bringing the tables up to date."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import platformdirs
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from anyio import CancelScope, to_thread
from filelock import FileLock
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from realtime_avatar.errors import ConfigError

_BUSY: Final = 5.0  # seconds that one writer waits for another
_ANSWER: Final = 10.0  # seconds that a server may take for one statement, and to connect
_LOCK: Final = 0x6176_6174  # PostgreSQL's advisory lock while tables are changed: "avat"
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_MIGRATIONS: Final = files("realtime_avatar.identity") / "migrations"


def database_url(database: str) -> URL:
    """Return where a setting says that the database is.

    Args:
        database: A file's path, or a URL "sqlite:///…" or "postgresql://…"; empty: a file
            in the user's data directory.

    Raises:
        ConfigError: if it is no such URL.
    """
    if "://" not in database:
        folder = platformdirs.user_data_path("realtime-avatar", appauthor=False)
        path = Path(database) if database else folder / "conversations.db"
        return URL.create(_DRIVERS["sqlite"], database=str(path.expanduser().absolute()))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("setting 'database': that is no URL of a database") from error
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise ConfigError(f"setting 'database': {kind!r} is neither sqlite nor postgresql")
    return url.set(drivername=_DRIVERS[kind])


@asynccontextmanager
async def connect(database: str) -> AsyncGenerator[AsyncEngine]:
    """Connect to a database, made if it is a file that is not there; its tables are current.

    Transactions of a connection with the execution option `writes` lock SQLite from their
    beginning, so that they never have to be tried again.

    Args:
        database: As of `database_url`.

    Raises:
        ConfigError: if that is not possible, and why.
    """
    url = database_url(database)
    where = url.render_as_string()  # without the password
    try:
        engine = await to_thread.run_sync(_engine, url)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"PostgreSQL needs {error.name!r}: pip install 'realtime-avatar[postgres]'"
        ) from error
    except OSError as error:
        raise ConfigError(_refusal(where, error.strerror or str(error))) from error
    try:
        try:
            await migrate(engine)
        except ConfigError:
            raise
        except Exception as error:  # a driver may fail with anything
            cause = getattr(error, "orig", None) or error
            raise ConfigError(_refusal(where, str(cause) or type(cause).__name__)) from error
        yield engine
    finally:
        with CancelScope(shield=True):
            await engine.dispose()


async def migrate(engine: AsyncEngine, to: str = "head") -> None:
    """Bring the tables up to date; several servers may do so at once.

    Args:
        engine: Of `connect`.
        to: Which revision; the newest by default.

    Raises:
        ConfigError: if a newer version of this program has been here.
    """
    path = engine.url.database
    with as_file(_MIGRATIONS) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))

        def upgrade(connection: Connection) -> None:
            script = ScriptDirectory.from_config(config)
            now = MigrationContext.configure(connection).get_current_revision()
            if now == (script.get_current_head() if to == "head" else to):
                return
            if now and now not in {step.revision for step in script.walk_revisions()}:
                raise ConfigError(f"the database is of a newer version ({now}) than this program")
            config.attributes["connection"] = connection
            command.upgrade(config, to)

        if engine.dialect.name != "sqlite" or path is None:
            async with engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                await connection.run_sync(upgrade)
            return
        lock = FileLock(f"{path}.lock", timeout=_ANSWER, thread_local=False)
        await to_thread.run_sync(lock.acquire)
        try:
            async with engine.execution_options(writes=True).begin() as connection:
                await connection.run_sync(upgrade)
        finally:
            lock.release()


def outside_transactions(engine: AsyncEngine) -> AsyncEngine:
    """Return an engine for what a database does outside of transactions only."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(alone=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _refusal(where: str, why: str) -> str:
    return (
        f"the database {where} cannot be opened: {why};"
        " set 'database' to another one, or to \"none\" to keep no conversations"
    )


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        answer = {"timeout": _ANSWER, "command_timeout": _ANSWER}
        return create_async_engine(url, pool_pre_ping=True, connect_args=answer)
    if url.database and url.database != ":memory:":
        _make_private(Path(url.database))
    engine = create_async_engine(url, connect_args={"timeout": _BUSY})
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _make_private(path: Path) -> None:
    """Make the file, for nobody else to read; what SQLite puts beside it is like it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare(connection: Any, _: Any) -> None:
    """Set SQLite up.

    With `synchronous = FULL` a transaction is on the disk when it is over, also if the
    power fails. What is deleted is overwritten.
    """
    connection.isolation_level = None  # transactions are begun by `_begin`, also for tables
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("alone"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
