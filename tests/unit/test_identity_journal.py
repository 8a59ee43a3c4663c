"""The journal on a real SQLite file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from kept import START, entry
from realtime_avatar.identity.journal import Journal, Outcome
from realtime_avatar.identity.store import Store, open_store

pytestmark = pytest.mark.anyio


class Told:
    """What was told of each entry."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def __call__(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@asynccontextmanager
async def writing(store: Store, **limits: Any) -> AsyncGenerator[Journal]:
    journal = Journal(store, clock=lambda: (START + timedelta(days=6)).timestamp(), **limits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        yield journal
        await journal.close()
        tasks.cancel_scope.cancel()


async def test_what_waits_is_written_before_the_end(tmp_path: Path) -> None:
    told = Told()
    async with open_store(str(tmp_path / "kept.db")) as store:
        async with writing(store) as journal:
            for number in range(1, 71):
                journal.write(entry("c1", number), told)
        assert len((await store.get("c1", None)).turns) == 70
    assert told.outcomes == ["written"] * 70


async def test_the_newest_of_a_turn_counts(tmp_path: Path) -> None:
    told = Told()
    async with open_store(str(tmp_path / "kept.db")) as store:
        async with writing(store) as journal:
            for words in ("one", "one two", "one two three"):
                journal.write(entry("c1", heard=words), told)
        (turn,) = (await store.get("c1", None)).turns
    assert turn.heard == "one two three"
    assert told.outcomes == ["written"] * 3


async def test_an_entry_that_makes_no_sense_costs_no_other(tmp_path: Path) -> None:
    told = [Told(), Told(), Told()]
    async with open_store(str(tmp_path / "kept.db")) as store, writing(store) as journal:
        journal.write(entry("c1"), told[0])
        journal.write(entry("c2", said=None), told[1])  # type: ignore[arg-type]
        journal.write(entry("c3"), told[2])
    assert [each.outcomes for each in told] == [["written"], ["lost"], ["written"]]


async def test_what_belongs_to_a_deleted_conversation_is_gone(tmp_path: Path) -> None:
    told = Told()
    async with open_store(str(tmp_path / "kept.db")) as store, writing(store) as journal:
        journal.write(entry("c1", first=False), told)
    assert told.outcomes == ["gone"]


async def test_more_than_may_wait_is_lost_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_avatar.identity.journal.WAITING", 30)
    told = Told()
    async with open_store(str(tmp_path / "kept.db")) as store, writing(store) as journal:
        for number in range(40):
            journal.write(entry("c1", number), told)
        assert told.outcomes == ["lost"] * 10
    assert told.outcomes.count("written") == 30
    journal.write(entry("c1"), told)  # after its end
    assert told.outcomes[-1] == "lost"


async def test_a_database_that_never_comes_back_does_not_hold_up_the_end(tmp_path: Path) -> None:
    told = Told()
    async with open_store(str(tmp_path / "kept.db")) as store:
        async with store._engine.begin() as connection:
            await connection.exec_driver_sql("DROP TABLE turns")
        async with writing(store) as journal:
            journal.write(entry("c1"), told)
            with anyio.fail_after(20):
                while not journal.failing:  # noqa: ASYNC110 - of another task
                    await anyio.sleep(0.01)
            began = anyio.current_time()
        assert anyio.current_time() - began < 3
    assert told.outcomes[0] == "failing"
    assert told.outcomes[-1] == "lost"


async def test_what_is_too_old_goes_by_itself(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "kept.db")) as store:
        for day in range(6):
            await store.write([entry(f"day{day}", day=day)])
        async with writing(store, days=4.5, count=3):
            with anyio.fail_after(20):
                while (await store.list(None)).total > 3:  # noqa: ASYNC110 - of another task
                    await anyio.sleep(0.05)
        assert [item.id for item in (await store.list(None)).items] == ["day5", "day4", "day3"]
