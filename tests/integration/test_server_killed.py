from pathlib import Path

import pytest

from killing import killed

pytestmark = pytest.mark.anyio


async def test_what_a_person_was_told_is_kept_survives_a_kill(tmp_path: Path):
    told = await killed(tmp_path, kills=2, seed=5)
    assert told["asked, kept"] > 0
    assert told["answered, kept"] > 0
