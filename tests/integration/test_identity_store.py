"""The store of conversations, on SQLite and on a real PostgreSQL server alike."""

import os
import sqlite3
import stat
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from kept import START, Postgres, entry, initdb, postgres_server
from realtime_avatar.errors import ConfigError, InputError, StoreError
from realtime_avatar.identity import database
from realtime_avatar.identity.store import Store, UnknownConversation, open_store
from realtime_avatar.identity.tables import Base

pytestmark = pytest.mark.anyio
NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Generator[Postgres]:
    program = initdb()
    if program is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt install postgresql")
    with postgres_server(program) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database."""
    if request.param == "sqlite":
        return str(tmp_path / "new" / "kept.db")
    server: Postgres = request.getfixturevalue("server")
    return await new_database(server)


async def new_database(server: Postgres) -> str:
    name = f"kept{next(NUMBERS)}"
    engine = database._engine(database.database_url(server.url()))
    async with database.outside_transactions(engine).connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return server.url(name)


@pytest.fixture
async def kept(where: str) -> AsyncGenerator[Store]:
    async with open_store(where) as store:
        yield store


async def test_a_turn_comes_back_as_it_was_written_last(kept: Store) -> None:
    first = entry("c1", said="¿Está lloviendo?", language="es", state="asked", heard="")
    last = entry(
        "c1",
        said="¿Está lloviendo?",
        language="es",
        heard="Sí, 你好.",
        unheard=" Mucho.",
        state="interrupted",
        problem="the voice failed",
        began_s=1.5,
        asked_s=2.25,
        audible_s=3.0,
        ended_s=4.125,
        stages={"chat": 0.5, "playout": 0.75},
        sources=({"document": "leaflet.pdf", "place": "page 2", "text": "Sí"},),
        timeline=((3.0, "Sí, "), (3.5, "你好.")),
    )
    assert await kept.write([first, entry("c1", 2, "Bye")]) == [True, True]
    assert await kept.write([last]) == [True]
    found = await kept.get("c1", "ann")
    assert found.turns == (last.turn, entry("c1", 2, "Bye").turn)
    assert (found.name, found.started) == ("Ava", START)
    assert found.length_s == 4.125


async def test_what_a_text_cannot_hold_is_left_out(kept: Store) -> None:
    await kept.write([entry("c1", said="one\0two", heard="a\ud800b", timeline=((1.0, "\0"),))])
    (turn,) = (await kept.get("c1", "ann")).turns
    assert (turn.said, turn.heard, turn.timeline) == ("onetwo", "a?b", ((1.0, ""),))


async def test_what_makes_no_sense_is_refused_and_nothing_else_with_it(kept: Store) -> None:
    bad = entry("c1", said=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot hold"):
        await kept.write([entry("c0"), bad])
    assert (await kept.list(None)).total == 0
    assert await kept.write([entry("c0")]) == [True]


async def test_everybody_lists_their_own_the_latest_first(kept: Store) -> None:
    for day in range(5):
        await kept.write([entry(f"ann{day}", said=f"Day {day}", day=day)])
        await kept.write([entry(f"bob{day}", 2, day=day, owner="bob")])
    page = await kept.list("ann", offset=1, limit=2)
    assert page.total == 5
    assert [(item.id, item.title, item.count) for item in page.items] == [
        ("ann3", "Day 3", 1),
        ("ann2", "Day 2", 1),
    ]
    assert (await kept.list("carl")).items == ()
    assert (await kept.list(None)).total == 10


async def test_nobody_sees_or_deletes_what_is_somebody_elses(kept: Store) -> None:
    await kept.write([entry("c1")])
    for attempt in (kept.get, kept.delete):
        for key, owner in (("c1", "bob"), ("c1", ""), ("c2", "ann")):
            with pytest.raises(UnknownConversation):
                await attempt(key, owner)
    assert await kept.delete_all("bob") == 0
    assert (await kept.get("c1", None)).owner == "ann"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rain", ["rain"]),
        ("RAINING mal", ["rain"]),
        ("málaga", ["rain"]),
        ("下雨", ["chinese"]),
        ("雨下", []),
        ("raining 下雨", []),
        ("you said", ["chinese", "rain"]),
        ("o'clock", ["rain"]),
        ("%", []),
        ('"', []),
        ("rain' OR 1=1 --", []),
        ("NEAR(rain", []),
        ("rain & !x | y:*", []),
        ("100 1e5 v2.0", ["chinese"]),
    ],
)
async def test_conversations_are_searched(kept: Store, query: str, found: list[str]) -> None:
    await kept.write(
        [
            entry("rain", said="Is it raining in Málaga at 5 o'clock?", day=1),
            entry("chinese", said="明天下雨吗", heard="You said: 100, 1e5 and v2.0", day=2),
            entry("other", said="Raining, too", owner="bob"),
        ]
    )
    page = await kept.list("ann", query)
    assert [item.id for item in page.items] == found
    assert page.total == len(found)
    assert all(item.excerpt for item in page.items)


async def test_a_changed_turn_is_found_by_its_new_words_only(kept: Store) -> None:
    await kept.write([entry("c1", said="elephant", heard="")])
    await kept.write([entry("c1", said="giraffe", heard="Tall.")])
    assert (await kept.list("ann", "elephant")).total == 0
    assert (await kept.list("ann", "giraffe tall")).total == 1


async def test_what_was_deleted_is_not_written_again(kept: Store) -> None:
    await kept.write([entry("c1"), entry("c2", said="stays")])
    await kept.delete("c1", "ann")
    assert await kept.write([entry("c1", 2, first=False), entry("c2", 2, first=False)]) == [
        False,
        True,
    ]
    assert [item.id for item in (await kept.list(None)).items] == ["c2"]
    assert (await kept.list(None, "hello")).total == 1
    assert await kept.delete_all("ann") == 1
    assert (await kept.list(None)).total == 0


async def test_what_is_old_or_too_much_goes(kept: Store) -> None:
    for day in range(6):
        await kept.write([entry(f"day{day}", day=day)])
    now = START + timedelta(days=6)
    assert await kept.prune(now) == 0
    assert await kept.prune(now, days=4.5) == 2
    assert await kept.prune(now, days=4.5, count=3) == 1
    assert [item.id for item in (await kept.list(None)).items] == ["day5", "day4", "day3"]


async def test_many_may_open_a_new_database_at_once(where: str) -> None:
    async def visit(number: int) -> None:
        async with open_store(where) as store:
            await store.write([entry(f"c{number}")])

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(visit, number)
    async with open_store(where) as store:
        assert (await store.list(None)).total == 4


async def test_who_no_longer_waits_leaves_the_database_as_it_should_be(kept: Store) -> None:
    for tenth in range(8):
        with anyio.move_on_after(tenth / 1000):
            await kept.write([entry("c1", number) for number in range(1, 5)])
    assert await kept.write([entry("c1", 20)]) == [True]
    assert kept._engine.pool.checkedout() == 0  # type: ignore[attr-defined]


# Revisions.


@asynccontextmanager
async def at_revision(where: str, revision: str) -> AsyncGenerator[Any]:
    """A connection to a new database as an older version left it."""
    engine = database._engine(database.database_url(where))
    await database.migrate(engine, revision)
    async with engine.execution_options(writes=True).begin() as connection:
        yield connection
    await engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_a_database_of_an_older_revision_is_brought_up_to_date(
    where: str, revision: str
) -> None:
    async with at_revision(where, revision) as connection:
        await connection.execute(
            text(
                "INSERT INTO conversations (id, owner, avatar, name, language, started, updated)"
                " VALUES ('old', 'ann', 'default', 'Ava', '', :at, :at)"
            ).bindparams(at=START if "postgresql" in where else str(START.replace(tzinfo=None)))
        )
        await connection.execute(
            text(
                "INSERT INTO turns (conversation, number, said, at, language, heard, unheard,"
                " state, problem, began_s, asked_s, stages, timeline) VALUES ('old', 1,"
                " 'Where is the heron?', :at, 'en', 'In Málaga.', '', 'answered', '', 1, 2,"
                " '{}', '[]')"
            ).bindparams(at=START if "postgresql" in where else str(START.replace(tzinfo=None)))
        )
        if revision == "0002":
            await connection.execute(text("UPDATE turns SET words = 'where heron in malaga'"))
    async with open_store(where) as store:
        assert [item.id for item in (await store.list("ann", "heron malaga")).items] == ["old"]
        assert await store.write([entry("old", 2, "Thanks", first=False)]) == [True]
        assert [turn.said for turn in (await store.get("old", "ann")).turns] == [
            "Where is the heron?",
            "Thanks",
        ]
        await store.delete("old", "ann")
        assert (await store.list(None, "heron")).total == 0


async def test_the_revisions_make_just_the_tables_that_the_code_knows(where: str) -> None:
    engine = database._engine(database.database_url(where))
    await database.migrate(engine)

    def differences(connection: Any) -> list[Any]:
        def ours(item: object, name: str | None, kind: str, *_: object) -> bool:
            return not (name or "").startswith(("turns_words", "ix_turns_words"))

        context = MigrationContext.configure(connection, opts={"include_object": ours})
        return compare_metadata(context, Base.metadata)

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []


async def test_a_database_of_a_newer_version_is_refused(where: str) -> None:
    async with at_revision(where, "head") as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer version"):
        async with open_store(where):
            pass


# SQLite alone.


async def test_nothing_of_what_was_deleted_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    secrets = [
        f"{word}{number}" for number in range(20) for word in ("Zanzibar", "quokka", "蝙蝠侠")
    ]
    async with open_store(str(path)) as store:
        for number, secret in enumerate(secrets):
            await store.write([entry("secret", number, f"Tell nobody of {secret}!")])
            await store.write([entry("other", number, f"Weather report {number}")])
        await store.write([entry("old", said="Xylophone", day=-400)])
        assert raw(path).count(b"Zanzibar") > 10
        await store.delete("secret", "ann")
        await store.prune(START, days=90)
        left = raw(path)  # while it is open
        assert (await store.list(None, "weather")).total == 1
    for word in ("anzibar", "quokka", "蝙蝠侠", "蝠 侠", "ylophone", "nobody"):
        assert word.encode() not in left
        assert word.encode() not in raw(path)
    assert b"Weather report 39" in left


def raw(path: Path) -> bytes:
    """Return all that is on the disk of a database."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


async def test_the_file_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "kept.db"
    mask = os.umask(0)
    try:
        async with open_store(str(path)) as store:
            await store.write([entry("c1")])
            files = [file for file in path.parent.iterdir() if file.suffix != ".lock"]
            assert len(files) == 3  # with its log and the log's index
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(mask)


async def test_a_full_disk_is_told_in_words_and_nothing_is_half_written(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "kept.db")) as store:
        await store.write([entry("c1")])
        async with store._engine.connect() as connection:
            pages = await connection.scalar(text("PRAGMA page_count"))
            await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(StoreError, match="full"):
            await store.write([entry("c2"), entry("c3", said="long " * 100_000)])
        assert [item.id for item in (await store.list(None)).items] == ["c1"]
        async with store._engine.connect() as connection:
            await connection.execute(text("PRAGMA max_page_count = 100000"))
        assert await store.write([entry("c2")]) == [True]


@pytest.mark.parametrize(
    ("kind", "why"),
    [("text", "not a database"), ("folder", "Is a directory"), ("log", "disk I/O error")],
)
async def test_what_cannot_be_opened_is_told_in_words(tmp_path: Path, kind: str, why: str) -> None:
    path = tmp_path / "kept.db"
    if kind == "text":
        path.write_bytes(b"no database" * 1000)
    elif kind == "folder":
        path.mkdir()
    else:
        path.with_name("kept.db-wal").mkdir()
    with pytest.raises(ConfigError, match=why):
        async with open_store(str(path)):
            pass


@pytest.mark.parametrize(
    ("setting", "why"),
    [("mysql://me@here/x", "'mysql' is neither"), ("postgresql://here:port/x", "no URL")],
)
async def test_an_impossible_setting_is_told_in_words(setting: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        async with open_store(setting):
            pass


def test_without_a_setting_it_is_in_the_users_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert database.database_url("").database == str(tmp_path / "realtime-avatar/conversations.db")


async def test_every_transaction_is_on_the_disk_when_it_is_over(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "kept.db")) as store, store._engine.connect() as here:
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal"), ("secure_delete", 1)):
            assert await here.scalar(text(f"PRAGMA {pragma}")) == value


async def test_an_older_program_may_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    async with open_store(str(path)) as store:
        await store.write([entry("c1")])
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM turns").fetchone() == (1,)
        await store.write([entry("c2")])
        reader.close()


# PostgreSQL alone.


async def test_a_wrong_password_is_told_without_telling_it(server: Postgres) -> None:
    wrong = server.url().replace("secret", "wrong-secret")
    with pytest.raises(ConfigError, match="password authentication failed") as refused:
        async with open_store(wrong):
            pass
    assert "wrong-secret" not in str(refused.value)


async def test_a_server_that_was_away_is_used_again(server: Postgres) -> None:
    async with open_store(await new_database(server)) as store:
        await store.write([entry("c1")])
        server.stop()
        with pytest.raises(StoreError):
            await store.write([entry("c2")])
        with pytest.raises(StoreError):
            await store.list(None)
        server.start()
        await store.write([entry("c2")])
        assert (await store.list(None)).total == 2


async def test_without_its_driver_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
    with pytest.raises(ConfigError, match=r"realtime-avatar\[postgres\]"):
        async with open_store("postgresql://me@127.0.0.1:1/x"):
            pass
