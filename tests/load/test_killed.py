"""Fifty kills at random moments of a conversation lose nothing that was told to be kept."""

import os
import random
from pathlib import Path

import pytest

from killing import killed

pytestmark = [pytest.mark.anyio, pytest.mark.load]

KILLS = int(os.environ.get("AVATAR_KILLS", "50"))
SEED = int(os.environ.get("AVATAR_SEED", random.randrange(10**6)))


async def test_fifty_kills(tmp_path: Path):
    print(f"seed {SEED}")
    told = await killed(tmp_path, KILLS, SEED)
    print(told)
    assert told["answered, kept"] >= KILLS
