"""What a session tells becomes turns, on a real SQLite file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from realtime_avatar.dialogue import events
from realtime_avatar.dialogue.record import Record, messages_of
from realtime_avatar.engines.ports import Message
from realtime_avatar.identity.conversations import Turn
from realtime_avatar.identity.journal import Journal
from realtime_avatar.identity.store import Store, open_store

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def keeping(folder: Path) -> AsyncGenerator[tuple[Record, Store]]:
    async with open_store(str(folder / "kept.db")) as store:
        journal = Journal(store)
        record = Record(journal, owner="ann", avatar="default", name="Ava")
        record.begin(lambda _: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.run)
            yield record, store
            await journal.close()
            tasks.cancel_scope.cancel()


async def told(record: Record, *all_of_it: events.Event) -> None:
    for event in all_of_it:
        record.note(event)
        await record.settled(event)


async def turns(record: Record, store: Store) -> tuple[Turn, ...]:
    return (await store.get(record.id, "ann")).turns


async def test_a_turn_is_kept_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    async with keeping(tmp_path) as (record, store):
        source = events.Source(document="leaflet.pdf", place="page 2", text="Open at nine.")
        heard = events.Heard(turn=1, text="When?", final=True, language="en", seconds=0.5)
        await told(record, heard)
        (asked,) = await turns(record, store)
        assert (asked.said, asked.state, asked.heard) == ("When?", "asked", "")
        await told(
            record,
            events.TurnTimings(turn=1, stages={"chat": 0.25, "playout": 0.5}),
            events.Cited(turn=1, sources=(source,)),
            events.Words(turn=1, text="At "),
            events.Words(turn=1, text="nine."),
            events.Finished(turn=1, heard="At", unheard="nine.", interrupted=True),
        )
        (turn,) = await turns(record, store)
        assert (turn.heard, turn.unheard, turn.state) == ("At", "nine.", "interrupted")
        assert turn.sources == (source.model_dump(),)
        assert [part for _, part in turn.timeline] == ["At ", "nine."]
        assert turn.stages == {"chat": 0.25, "playout": 0.5}


async def test_an_answer_that_failed_says_why(tmp_path: Path) -> None:
    async with keeping(tmp_path) as (record, store):
        problem = events.Problem(message="the model is away", stage="chat")
        await told(
            record,
            events.Heard(turn=1, text="Hello", final=True),
            problem,
            events.Finished(turn=1, heard=""),
            events.Heard(turn=2, text="Hello?", final=True),
            problem,
            events.Finished(turn=2, heard="Yes."),
            events.Problem(message="too much at once"),
        )
        first, second = await turns(record, store)
        assert (first.state, first.problem) == ("failed", "the model is away")
        assert (second.state, second.problem) == ("answered", "the model is away")
        whole = await store.get(record.id, None)
        assert messages_of(whole) == (
            Message("user", "Hello"),
            Message("user", "Hello?"),
            Message("assistant", "Yes."),
        )


async def test_a_guess_that_was_none_leaves_nothing(tmp_path: Path) -> None:
    async with keeping(tmp_path) as (record, store):
        await told(
            record,
            events.Heard(turn=1, text="Hm", final=False),
            events.Heard(turn=1, text="", final=True),
            events.Words(turn=1, text="never"),
            events.Finished(turn=1, heard=""),
        )
        assert (await store.list(None)).total == 0


async def test_an_event_says_whether_it_is_kept(tmp_path: Path) -> None:
    heard = events.Heard(turn=1, text="Hello", final=True)
    async with keeping(tmp_path) as (record, store):
        record.note(heard)
        settled = await record.settled(heard)
        assert isinstance(settled, events.Heard)
        assert settled.kept
        assert [turn.said for turn in await turns(record, store)] == ["Hello"]
        assert await record.settled(events.State(state="idle")) == events.State(state="idle")
    nobody = Record()
    nobody.note(heard)
    assert await nobody.settled(heard) == heard
    assert nobody.id == ""
