"""The store of conversations."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from anyio import CancelScope, sleep, to_thread
from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from realtime_avatar.errors import AvatarError, InputError, StoreError
from realtime_avatar.identity.conversations import (
    Conversation,
    Heading,
    Page,
    Summary,
    Turn,
    mapped,
)
from realtime_avatar.identity.database import connect, outside_transactions
from realtime_avatar.identity.tables import ConversationRow, TurnRow
from realtime_avatar.identity.words import excerpt, phrases, words

_UNKNOWN: Final = "that conversation is not known here"
_SCRUBS: Final = 3  # tries to empty SQLite's log, which a reader may hold
_SCRUB_WAIT: Final = 0.5  # seconds between them

_conversations = cast("Table", ConversationRow.__table__)
_turns = cast("Table", TurnRow.__table__)


class UnknownConversation(InputError):
    """There is no such conversation, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A turn to be written, in place of what was known of it before.

    Attributes:
        heading: Of its conversation.
        turn: As it is now.
        first: Whether the conversation may not be there yet. If it is not there and this
            is not set, somebody has deleted it.
    """

    heading: Heading
    turn: Turn
    first: bool


class Store:
    """Conversations in a database; made by `open_store`.

    Every method raises StoreError if the database fails. Those that take an `owner` see
    that owner's conversations only; None sees all.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._sqlite = engine.dialect.name == "sqlite"
        self._insert: Any = sqlite.insert if self._sqlite else postgresql.insert

    async def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Write turns in one transaction, which is durable when this returns.

        Returns:
            Of each whether its conversation was there; it was not written if not.

        Raises:
            InputError: if the database cannot hold what one of them says.
        """
        with _told():
            async with self._writer.begin() as connection:
                return [await self._write(connection, entry) for entry in entries]

    async def _write(self, connection: AsyncConnection, entry: Entry) -> bool:
        heading, turn = entry.heading, entry.turn
        if entry.first:
            row = {**mapped(asdict(heading), _storable), "updated": turn.at}
            insert = self._insert(_conversations).values(row)
            newer = {"updated": insert.excluded.updated}
            await connection.execute(
                insert.on_conflict_do_update(index_elements=["id"], set_=newer)
            )
        else:
            touch = update(_conversations).where(_conversations.c.id == heading.id)
            if not (await connection.execute(touch.values(updated=turn.at))).rowcount:
                return False
        row = mapped(asdict(turn), _storable) | {"conversation": heading.id}
        row["words"] = " ".join(words(f"{turn.said}\n{turn.heard}"))
        insert = self._insert(_turns).values(row)
        key = ["conversation", "number"]
        changed = {name: insert.excluded[name] for name in row if name not in key}
        await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed))
        return True

    async def list(
        self, owner: str | None, query: str = "", *, offset: int = 0, limit: int = 50
    ) -> Page:
        """Return conversations, the latest first.

        Args:
            owner: Whose.
            query: Words that one turn must have, all of them; each may go on: "rain" finds
                "raining". Case and accents do not count.
            offset: How many to leave out.
            limit: How many to return at most.
        """
        of = [_conversations.c.owner == owner] if owner is not None else []
        if query.strip():
            wanted = phrases(query)
            if not wanted:
                return Page((), 0)
            of.append(
                _conversations.c.id.in_(select(_turns.c.conversation).where(self._has(wanted)))
            )
        opening = (
            select(_turns.c.said)
            .where(_turns.c.conversation == _conversations.c.id)
            .order_by(_turns.c.number)
            .limit(1)
            .scalar_subquery()
        )
        count = (
            select(func.count())
            .where(_turns.c.conversation == _conversations.c.id)
            .scalar_subquery()
        )
        rows = (
            select(_conversations, count.label("count"), func.coalesce(opening, "").label("title"))
            .where(*of)
            .order_by(_conversations.c.updated.desc(), _conversations.c.id)
            .offset(offset)
            .limit(limit)
        )
        with _told():
            async with self._engine.connect() as connection:
                total = await connection.scalar(
                    select(func.count()).select_from(_conversations).where(*of)
                )
                found = [dict(row) for row in (await connection.execute(rows)).mappings()]
                if query.strip():
                    texts = [await self._match(connection, row["id"], query) for row in found]
                    # Somebody may be talking meanwhile.
                    parts = await to_thread.run_sync(
                        lambda: [excerpt(said, query) for said in texts]
                    )
                    for row, part in zip(found, parts, strict=True):
                        row["excerpt"] = part
        return Page(tuple(Summary(**row) for row in found), total or 0)

    def _has(self, wanted: Sequence[Sequence[str]]) -> ColumnElement[bool]:
        """Return the condition that a turn has phrases; they consist of letters and digits."""
        if self._sqlite:
            terms = " AND ".join(f'"{" ".join(phrase)}" *' for phrase in wanted)
            found = text("SELECT rowid FROM turns_words WHERE turns_words MATCH :terms")
            rows = found.bindparams(terms=terms).columns(literal_column("rowid"))
            return _turns.c.id.in_(rows)
        terms = " & ".join(f"({' <-> '.join(phrase)}:*)" for phrase in wanted)
        simple = literal_column("'simple'")
        return func.to_tsvector(simple, _turns.c.words).op("@@")(func.to_tsquery(simple, terms))

    async def _match(self, connection: AsyncConnection, key: str, query: str) -> str:
        here = and_(_turns.c.conversation == key, self._has(phrases(query)))
        turns = select(_turns.c.said, _turns.c.heard).where(here).order_by(_turns.c.number).limit(1)
        row = (await connection.execute(turns)).first()
        return f"{row.said}\n{row.heard}".strip() if row else ""

    async def get(self, key: str, owner: str | None) -> Conversation:
        """Return a conversation with all its turns.

        Raises:
            UnknownConversation: if there is none of that id, or it is somebody else's.
        """
        with _told():
            async with self._engine.connect() as connection:
                head = select(_conversations).where(_mine(key, owner))
                row = (await connection.execute(head)).mappings().first()
                if row is None:
                    raise UnknownConversation(_UNKNOWN)
                turns = select(_turns).where(_turns.c.conversation == key).order_by(_turns.c.number)
                found = tuple(_turn(row) for row in (await connection.execute(turns)).mappings())
        return Conversation(**row, turns=found)

    async def delete(self, key: str, owner: str | None) -> None:
        """Delete a conversation; nothing of it is left in an SQLite file.

        Raises:
            UnknownConversation: as of `get`.
        """
        if not await self._delete(select(_conversations.c.id).where(_mine(key, owner))):
            raise UnknownConversation(_UNKNOWN)

    async def delete_all(self, owner: str | None) -> int:
        """Delete all conversations; return how many there were."""
        ids = select(_conversations.c.id)
        return await self._delete(
            ids if owner is None else ids.where(_conversations.c.owner == owner)
        )

    async def prune(self, now: datetime, *, days: float = 0, count: int = 0) -> int:
        """Delete what is older than some days, or beyond the newest so many; 0: no limit.

        Returns:
            How many conversations were deleted.
        """
        ids, gone = select(_conversations.c.id), 0
        if days:
            gone += await self._delete(
                ids.where(_conversations.c.updated < now - timedelta(days=days))
            )
        if count:
            newest = ids.order_by(_conversations.c.updated.desc(), _conversations.c.id)
            gone += await self._delete(ids.where(_conversations.c.id.not_in(newest.limit(count))))
        return gone

    async def _delete(self, ids: Select[str]) -> int:
        with _told():
            async with self._writer.begin() as connection:
                keys = (await connection.scalars(ids)).all()
                for key in keys:
                    await connection.execute(delete(_turns).where(_turns.c.conversation == key))
                    await connection.execute(
                        delete(_conversations).where(_conversations.c.id == key)
                    )
                if keys and self._sqlite:
                    # The index only marks what is deleted, until it is written anew.
                    rebuild = "INSERT INTO turns_words(turns_words) VALUES ('optimize')"
                    await connection.execute(text(rebuild))
            if keys:
                await self._scrub()
        return len(keys)

    async def _scrub(self) -> None:
        """Get rid of the copies of deleted rows that the database still holds."""
        async with outside_transactions(self._engine).connect() as connection:
            if not self._sqlite:
                await connection.execute(text("VACUUM turns, conversations"))
                return
            for _ in range(_SCRUBS):
                log = await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                busy, *_ = log.one()
                if not busy:
                    return
                await sleep(_SCRUB_WAIT)
        structlog.stdlib.get_logger("realtime_avatar").warning(
            "deleted conversations are still in the database's log: somebody reads it"
        )


@asynccontextmanager
async def open_store(database: str = "") -> AsyncGenerator[Store]:
    """Open the store; its tables are made or brought up to date.

    Args:
        database: As of `database.database_url`.

    Raises:
        ConfigError: if it cannot be opened, and why.
    """
    async with connect(database) as engine:
        yield Store(engine)


def _turn(row: Any) -> Turn:
    fields = {name: row[name] for name in Turn.__dataclass_fields__}
    fields["sources"] = tuple(fields["sources"])
    fields["timeline"] = tuple((at, part) for at, part in fields["timeline"])
    return Turn(**fields)


def _mine(key: str, owner: str | None) -> ColumnElement[bool]:
    here = _conversations.c.id == key
    return here if owner is None else and_(here, _conversations.c.owner == owner)


def _storable(value: Any) -> Any:
    """Return a value without the characters that a database's text cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return value


@contextmanager
def _told() -> Generator[None]:
    """Tell of the database's failures in words, and let what was begun be finished.

    A driver that is cancelled again and again, as anyio does, leaves its connections
    half-closed. Its own time limits end what hangs.
    """
    try:
        with CancelScope(shield=True):
            yield
    except AvatarError:
        raise
    except (DataError, IntegrityError) as error:
        raise InputError(f"the database cannot hold this: {error.orig}") from error
    except Exception as error:  # a driver may fail with anything
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"the database fails: {cause or type(cause).__name__}") from error
