"""Servers that are killed while people talk, and what is left of the talk."""

import json
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from realtime_avatar.identity.conversations import Turn
from realtime_avatar.identity.store import open_store
from realtime_avatar.server.owner import COOKIE
from serving import serving

LATEST = 4.0  # s after the beginning of a conversation


@dataclass
class Talk:
    """One person's conversation over many lives of the server, and what they were told of it."""

    name: str
    id: str = ""
    count: int = 0
    said: dict[str, str] = field(default_factory=dict[str, str])  # what is kept -> the answer
    told: Counter[str] = field(default_factory=Counter[str])

    async def hold(self, address: str) -> None:
        """Say one thing after another, until the server is gone."""
        cookie = {"Cookie": f"{COOKIE}={self.name * 40}"}
        try:
            async with connect(address, additional_headers=cookie) as line:
                await line.send(json.dumps({"video": "vp8", "conversation": self.id}))
                await self._say(line)
                asked: dict[int, str] = {}
                async for frame in line:
                    if isinstance(frame, str):
                        await self._take(line, asked, json.loads(frame))
        except (WebSocketException, OSError):
            pass

    async def _take(self, line: ClientConnection, asked: dict[int, str], event: Any) -> None:
        assert event["type"] != "problem", event
        match event["type"]:
            case "conversation":
                # The first one may have been killed before anything of it was kept.
                assert not self.said or event["id"] == self.id
                self.id = event["id"]
            case "heard" if event["final"]:
                asked[event["turn"]] = event["text"]
                self.told["asked, kept" if event["kept"] else "asked, not kept"] += 1
                if event["kept"]:
                    self.said[event["text"]] = ""
            case "finished":
                self.told["answered, kept" if event["kept"] else "answered, not kept"] += 1
                if event["kept"]:
                    self.said[asked[event["turn"]]] = event["heard"]
                await self._say(line)
            case _:
                pass

    async def _say(self, line: ClientConnection) -> None:
        self.count += 1
        await line.send(json.dumps({"type": "say", "text": f"{self.name} {self.count}"}))


async def killed(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill servers on one database while two people talk; check it each time.

    Returns:
        How often they were told what, and how many turns the database has at the end.
    """
    moments = random.Random(seed)
    talks = [Talk("ann"), Talk("bob")]
    database, turns = folder / "kept.db", 0
    for _ in range(kills):
        options = {"AVATAR_DATABASE": str(database), "AVATAR_MAX_SESSIONS": "4"}
        async with serving(folder, environment=options) as (process, address):
            async with anyio.create_task_group() as tasks:
                for talk in talks:
                    tasks.start_soon(talk.hold, address)
                await anyio.sleep(moments.uniform(0, LATEST))
                process.kill()
            await process.wait()
        turns = sum([await _check(database, talk) for talk in talks])
    told = sum((talk.told for talk in talks), Counter[str]())
    return {**told, "turns in the database": turns, "kills": kills}


async def _check(database: Path, talk: Talk) -> int:
    """Check that a database is whole and has all that a person was told it has."""
    raw = sqlite3.connect(database)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.execute("INSERT INTO turns_words(turns_words) VALUES ('integrity-check')")
    raw.close()
    if not talk.said:
        return 0
    async with open_store(str(database)) as store:
        turns = (await store.get(talk.id, None)).turns
        found = await store.list(None, talk.name)
    assert talk.id in [item.id for item in found.items]
    answers = {turn.said: turn for turn in turns}
    for said, heard in talk.said.items():
        assert said in answers, f"{said!r} was told to be kept, and is not"
        if heard:
            assert _whole(answers[said], heard)
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    return len(turns)


def _whole(turn: Turn, heard: str) -> bool:
    return turn.state == "answered" and turn.heard == heard and turn.ended_s is not None
