"""Half an hour of conversation leaves the server as it was."""

import os
from pathlib import Path
from statistics import median

import pytest

from realtime_avatar.bench.live import bundled_questions, converse, with_chat
from realtime_avatar.bench.live_plan import Plan
from realtime_avatar.bench.live_turns import turns
from realtime_avatar.config import load_settings

pytestmark = [pytest.mark.anyio, pytest.mark.load]

MINUTES = float(os.environ.get("AVATAR_SOAK_MINUTES", "30"))
CHAT = os.environ.get("AVATAR_SOAK_CHAT", "scripted")
TURN = 12.5 if CHAT == "scripted" else 8.3  # s that one takes with its pause


async def test_half_an_hour_of_conversation(tmp_path: Path):
    count = max(4, round(MINUTES * 60 / TURN))
    questions = tuple(str(path.resolve()) for path in bundled_questions())
    plan = Plan("", questions, count, warm=len(questions))
    talk = await converse(with_chat(load_settings(), CHAT), plan, 1, "light", tmp_path)
    used = talk.used
    tenth = max(1, len(used) // 10)
    warm, late = used[tenth : 2 * tenth], used[-tenth - 1 : -1]
    growth = median(memory for _, memory, _ in late) - median(memory for _, memory, _ in warm)
    threads = [median(threads for _, _, threads in part) for part in (warm, late)]
    heard = turns(talk.recordings[0])
    print(f"{used[-1][0] / 60:.1f} min, memory {growth / 1e6:+.1f} MB, threads {threads}")
    print(f"first sound after {median(one.sound for one in heard if one.sound):.2f} s (p50)")
    assert all(one.sound is not None for one in heard)
    assert growth < 50e6
    assert threads[1] <= threads[0] + 2
