"""Half an hour of conversation leaves the server as it was."""

import os
from statistics import median

import pytest

from realtime_avatar.bench.live import bench_live, bundled_questions
from realtime_avatar.config import load_settings

pytestmark = [pytest.mark.anyio, pytest.mark.load]

MINUTES = float(os.environ.get("AVATAR_SOAK_MINUTES", "30"))
TURN = 12.5  # s that one takes with its pause


async def test_half_an_hour_of_conversation():
    turns = max(4, round(MINUTES * 60 / TURN))
    report = await bench_live(load_settings(), bundled_questions(), turns=turns, chat="scripted")
    run = report["runs"][0]
    used = run["server"]
    tenth = max(1, len(used) // 10)
    warm, late = used[tenth : 2 * tenth], used[-tenth - 1 : -1]
    growth = median(memory for _, memory, _ in late) - median(memory for _, memory, _ in warm)
    threads = [median(threads for _, _, threads in part) for part in (warm, late)]
    print(f"{used[-1][0] / 60:.1f} min, memory {growth / 1e6:+.1f} MB, threads {threads}")
    assert run["failures"]["unanswered"] == 0
    assert growth < 50e6
    assert threads[1] <= threads[0] + 2
