"""Conversations that people hold with a server, kept, listed, gone on with and deleted."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from sqlalchemy import Connection, event, text

from live import Site, Visitor, open_site, until, visit
from realtime_avatar.dialogue import events
from realtime_avatar.engines.ports import Message
from realtime_avatar.server.app import create_app
from realtime_avatar.server.owner import COOKIE

pytestmark = pytest.mark.anyio
API = "/api/v1/conversations"


@pytest.fixture(autouse=True)
def machine_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page may wait longer than it would; nothing here depends on how fast a disk is."""
    monkeypatch.setattr("realtime_avatar.dialogue.record.PATIENCE", 20)


@asynccontextmanager
async def keeping(folder: Path, **changes: Any) -> AsyncGenerator[Site]:
    async with open_site(database=str(folder / "kept.db"), **changes) as site:
        await site.http.get("/api/v1/options")  # as the page does, which gets its cookie so
        yield site


@asynccontextmanager
async def somebody_else(site: Site) -> AsyncGenerator[Site]:
    transport = httpx2.ASGITransport(create_app(site.service), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        await http.get("/api/v1/options")
        yield Site(site.service, http)


async def talk(site: Site, *words: str, **wish: Any) -> str:
    """Hold a conversation; return its id."""
    async with visit(site, **wish) as visitor:
        await say(visitor, *words)
        return (await visitor.wait_for(events.Conversation)).id


async def say(visitor: Visitor, *words: str) -> None:
    for said in words:
        done = len(visitor.of(events.Finished))
        visitor.say(said)
        finished = await visitor.wait_for(events.Finished, done + 1)
        assert finished.kept


async def test_what_is_said_is_kept_and_told_to_be(tmp_path: Path):
    async with keeping(tmp_path) as site:
        async with visit(site) as visitor:
            await say(visitor, "Is it raining?", "And tomorrow?")
            heard = [event for event in visitor.of(events.Heard) if event.final]
            assert [event.kept for event in heard] == [True, True]
            key = visitor.of(events.Conversation)[0].id
        listed = (await site.http.get(API)).json()
        assert listed["total"] == 1
        (item,) = listed["items"]
        assert (item["id"], item["title"], item["count"]) == (key, "Is it raining?", 2)
        whole = (await site.http.get(f"{API}/{key}")).json()
        assert "owner" not in whole
        first, second = whole["turns"]
        assert (first["said"], first["heard"]) == ("Is it raining?", "You said: Is it raining?")
        assert (first["state"], first["language"], first["number"]) == ("answered", "en", 1)
        assert 0 < first["stages"]["chat"] < first["stages"]["playout"]
        assert first["began_s"] <= first["asked_s"] <= first["audible_s"] <= first["ended_s"]
        assert first["ended_s"] < second["asked_s"]
        assert "".join(part for _, part in first["timeline"]).split() == first["heard"].split()
        times = [at for at, _ in first["timeline"]]
        assert first["audible_s"] <= times[0] <= times[-1] <= first["ended_s"]


async def test_an_interrupted_answer_keeps_what_was_heard(tmp_path: Path):
    async with keeping(tmp_path) as site:
        async with visit(site) as visitor:
            visitor.say("once " * 100)
            await visitor.wait_for(events.Words, 3)
            visitor.channel.send('{"type":"stop"}')
            finished = await visitor.wait_for(events.Finished)
        (item,) = (await site.http.get(API)).json()["items"]
        (turn,) = (await site.http.get(f"{API}/{item['id']}")).json()["turns"]
        assert turn["state"] == "interrupted"
        assert (turn["heard"], turn["unheard"]) == (finished.heard, finished.unheard)
        assert turn["heard"]
        assert turn["unheard"]


@pytest.mark.parametrize("politely", [True, False])
async def test_an_answer_that_its_person_leaves_is_interrupted(tmp_path: Path, politely: bool):
    async with keeping(tmp_path) as site:
        async with visit(site, close=politely) as visitor:
            visitor.say("once " * 100)
            await visitor.wait_for(events.Words, 3)
        await until(lambda: not site.service.calls.talking)
        (item,) = (await site.http.get(API)).json()["items"]
        turn: dict[str, Any] = {"state": "speaking"}
        with anyio.fail_after(30):
            while turn["state"] == "speaking":
                (turn,) = (await site.http.get(f"{API}/{item['id']}")).json()["turns"]
        assert (turn["state"], turn["problem"]) == ("interrupted", "")
        assert turn["heard"]
        assert turn["unheard"]


async def test_an_earlier_conversation_goes_on(tmp_path: Path):
    async with keeping(tmp_path) as site:
        key = await talk(site, "My name is Ann", "I live in Lima")
        async with visit(site, conversation=key) as visitor:
            (call,) = site.service.calls._calls.values()
            assert call.session.history.messages == [
                Message("user", "My name is Ann"),
                Message("assistant", "You said: My name is Ann"),
                Message("user", "I live in Lima"),
                Message("assistant", "You said: I live in Lima"),
            ]
            await say(visitor, "Who am I?")
            assert visitor.of(events.Conversation)[0].id == key
        whole = (await site.http.get(f"{API}/{key}")).json()
        assert [turn["number"] for turn in whole["turns"]] == [1, 2, 3]
        assert whole["turns"][1]["ended_s"] < whole["turns"][2]["began_s"]
        assert (await site.http.get(API)).json()["total"] == 1


async def test_two_windows_may_go_on_with_one_conversation(tmp_path: Path):
    async with keeping(tmp_path, max_sessions=2) as site:
        key = await talk(site, "One")
        async with visit(site, conversation=key) as here, visit(site, conversation=key) as there:
            await say(here, "Two")
            await say(there, "Three")
            await say(here, "Four")
        turns = (await site.http.get(f"{API}/{key}")).json()["turns"]
        assert [(turn["number"], turn["said"]) for turn in turns] == [
            (1, "One"),
            (2, "Two"),
            (3, "Three"),
            (4, "Four"),
        ]


async def test_after_a_restart_it_is_another_conversation(tmp_path: Path):
    async with keeping(tmp_path) as site, visit(site) as visitor:
        await say(visitor, "First")
        visitor.channel.send('{"type":"restart"}')
        await visitor.wait_for(events.Conversation, 2)
        await say(visitor, "Second")
        one, two = [event.id for event in visitor.of(events.Conversation)]
        found = [(await site.http.get(f"{API}/{key}")).json() for key in (one, two)]
        assert [[turn["said"] for turn in each["turns"]] for each in found] == [
            ["First"],
            ["Second"],
        ]
        assert found[1]["turns"][0]["number"] == 1


async def test_nobody_gets_at_what_others_said(tmp_path: Path):
    async with keeping(tmp_path) as site, somebody_else(site) as other:
        key = await talk(site, "A secret")
        assert (await other.http.get(API)).json() == {"items": [], "total": 0}
        for method, path in (("GET", ""), ("GET", "/export?format=srt"), ("DELETE", "")):
            response = await other.http.request(method, f"{API}/{key}{path}")
            assert response.status_code == 404
            assert response.json() == {"error": "that conversation is not known here"}
        assert (await other.http.delete(API)).json() == {"deleted": 0}
        offer = {"type": "offer", "sdp": "v=0", "conversation": key}
        assert (await other.http.post("/api/v1/sessions", json=offer)).status_code == 404
        other.http.cookies.clear()
        assert (await other.http.get(API)).status_code == 401
        other.http.cookies.set(COOKIE, "guess")
        assert (await other.http.delete(API)).status_code == 401
        assert (await other.http.get(f"{API}/{key}")).status_code == 404
        assert (await site.http.get(f"{API}/{key}")).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path):
    async with keeping(tmp_path) as site, somebody_else(site) as other:
        other.http.cookies.clear()
        cookie = (await other.http.get("/api/v1/options")).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        again = await other.http.get("/api/v1/options")
        assert "set-cookie" not in again.headers
        token = other.http.cookies[COOKIE]
        await talk(other, "Hello")
    assert token.encode() not in (tmp_path / "kept.db").read_bytes()


async def test_the_list_has_pages_and_a_search_and_each_can_be_exported(tmp_path: Path):
    async with keeping(tmp_path) as site:
        for words in ("Sunny", "Take an umbrella", "Good *morning*"):
            key = await talk(site, words)
        for query, total in {
            "": 3,
            "?q=umbr%20said": 1,
            "?limit=2&offset=2": 3,
            "?q=%00": 0,
        }.items():
            listed = (await site.http.get(API + query)).json()
            assert listed["total"] == total
        assert [item["title"] for item in (await listing(site, "?limit=2&offset=2"))] == ["Sunny"]
        assert (await listing(site, "?q=umbrella"))[0]["excerpt"].startswith("Take an umbrella")
        for query in ("limit=0", "limit=1000", "offset=-1", f"offset={10**20}", f"q={'x' * 201}"):
            assert (await site.http.get(f"{API}?{query}")).status_code == 422
        for form, media, ending, part in (
            ("json", "application/json", "json", '"said": "Good *morning*"'),
            ("markdown", "text/markdown; charset=utf-8", "md", "Good \\*morning\\*"),
            ("srt", "application/x-subrip; charset=utf-8", "srt", "\nYou: Good *morning*\n"),
        ):
            response = await site.http.get(f"{API}/{key}/export?format={form}")
            assert response.headers["content-type"] == media
            assert response.headers["content-disposition"].endswith(f'.{ending}"')
            assert part in response.text
        assert (await site.http.get(f"{API}/{key}/export?format=pdf")).status_code == 422


async def listing(site: Site, query: str) -> list[dict[str, Any]]:
    return (await site.http.get(API + query)).json()["items"]


async def test_deleting_leaves_nothing_in_the_file(tmp_path: Path):
    async with keeping(tmp_path) as site:
        key = await talk(site, "Zanzibar is a secret")
        await talk(site, "This stays")
        assert (await site.http.delete(f"{API}/{key}")).status_code == 204
        left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"anzibar" not in left
        assert b"This stays" in left
        assert (await site.http.get(f"{API}/{key}")).status_code == 404
        assert (await site.http.delete(API)).json() == {"deleted": 1}
        assert (await site.http.get(API)).json()["total"] == 0


async def test_deleting_what_goes_on_leaves_what_comes_after(tmp_path: Path):
    async with keeping(tmp_path) as site, visit(site) as visitor:
        await say(visitor, "Forget this")
        key = visitor.of(events.Conversation)[0].id
        await site.http.delete(f"{API}/{key}")
        visitor.say("But remember this")
        await visitor.wait_for(events.Finished, 2)
        other = (await visitor.wait_for(events.Conversation, 2)).id
        await say(visitor, "And this")
        whole = (await site.http.get(f"{API}/{other}")).json()
        assert [(turn["number"], turn["said"]) for turn in whole["turns"]] == [
            (1, "But remember this"),
            (2, "And this"),
        ]
        assert (await site.http.get(API)).json()["total"] == 1


async def test_a_server_that_keeps_nothing_says_so(tmp_path: Path):
    async with open_site() as site:
        response = await site.http.get("/api/v1/options")
        assert "set-cookie" not in response.headers
        response = await site.http.get(API)
        assert response.status_code == 404
        assert response.json() == {"error": "this server keeps no conversations"}
        async with visit(site, conversation="whatever") as visitor:
            visitor.say("Hello")
            assert not (await visitor.wait_for(events.Finished)).kept
            assert not visitor.of(events.Conversation)


# When the database fails.


async def test_a_full_database_is_told_once_and_the_talk_goes_on(tmp_path: Path):
    async with keeping(tmp_path) as site, visit(site) as visitor:
        await say(visitor, "Before")
        assert site.service.journal is not None
        store = site.service.journal.store
        room = 1  # pages

        def limit(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {room}")

        event.listen(store._engine.sync_engine, "begin", limit)
        for number, words in enumerate(("Long " * 390, "Still there?", "And now?"), 2):
            visitor.say(words)
            if number == 2:
                await visitor.wait_for(events.Words, len(visitor.of(events.Words)) + 1)
                visitor.channel.send('{"type":"stop"}')
            finished = await visitor.wait_for(events.Finished, number)
            assert finished.heard.startswith("You")
        problems = visitor.of(events.Problem)
        assert [problem.stage for problem in problems] == ["memory"]
        assert "cannot be saved" in problems[0].message
        assert not problems[0].fatal
        # Once there is room again all of it is written.
        room = 100_000
        key = visitor.of(events.Conversation)[0].id
        said: list[str] = []
        with anyio.fail_after(30):
            while len(said) < 4:
                await anyio.sleep(0.2)
                turns = (await site.http.get(f"{API}/{key}")).json()["turns"]
                said = [turn["said"] for turn in turns if turn["state"] != "asked"]
        assert said[-1] == "And now?"


async def test_a_database_that_hangs_holds_up_neither_the_voice_nor_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with keeping(tmp_path) as site, visit(site) as visitor:
        await say(visitor, "Before")
        monkeypatch.setattr("realtime_avatar.dialogue.record.PATIENCE", 0.1)
        other = sqlite3.connect(tmp_path / "kept.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        began = anyio.current_time()
        visitor.say("Hello")
        finished = await visitor.wait_for(events.Finished, 2)
        assert finished.heard == "You said: Hello"
        assert not finished.kept
        assert anyio.current_time() - began < 4.5  # SQLite waits for 5 s
        other.execute("ROLLBACK")
        other.close()
        site_journal = site.service.journal
        assert site_journal is not None
        monkeypatch.setattr("realtime_avatar.dialogue.record.PATIENCE", 20)
        await until(lambda: not site_journal.waiting)
        await say(visitor, "After")
        key = visitor.of(events.Conversation)[0].id
        turns = (await site.http.get(f"{API}/{key}")).json()["turns"]
        assert [turn["heard"] for turn in turns][1] == "You said: Hello"


async def test_a_lost_database_costs_the_memory_but_not_the_talk(tmp_path: Path):
    async with keeping(tmp_path) as site:
        key = await talk(site, "Remember me")
        assert site.service.journal is not None
        async with site.service.journal.store._engine.begin() as connection:
            await connection.execute(text("DROP TABLE turns"))
        response = await site.http.get(f"{API}/{key}")
        assert response.status_code == 503
        assert response.json()["error"].startswith("the database fails: no such table")
        history = [{"role": "user", "text": "Remember me"}]
        async with visit(site, conversation=key, history=history) as visitor:
            (call,) = site.service.calls._calls.values()
            assert call.session.history.messages == [Message("user", "Remember me")]
            visitor.say("Hello")
            assert (await visitor.wait_for(events.Finished)).heard == "You said: Hello"
            assert json.loads(visitor.of(events.Problem)[0].model_dump_json())["stage"] == "memory"
