"""What `make audit` says of pip-audit's findings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit"
SOUND: dict[str, Any] = {"name": "sound", "version": "1", "vulns": []}
SKIPPED = {"name": "hidden", "skip_reason": "not found"}
WEAK: dict[str, Any] = {
    "name": "weak",
    "version": "2.1",
    "vulns": [{"id": "X-1", "fix_versions": ["2.2"], "aliases": []}],
}


@pytest.mark.parametrize(
    ("dependencies", "code", "told"),
    [
        ([SOUND, SOUND], 0, ["0 of 2 packages"]),
        ([SOUND, SKIPPED], 0, ["not audited: hidden", "0 of 1 packages"]),
        ([SOUND, WEAK], 1, ["weak 2.1: X-1, mended in: 2.2", "1 of 2 packages"]),
        ([SKIPPED, SKIPPED], 0, ["no advisories are served here", "nothing was audited"]),
        (None, 0, ["cannot be reached", "nothing was audited"]),
    ],
)
def test_weaknesses_fail_and_silence_is_no_good_news(
    dependencies: list[dict[str, Any]] | None, code: int, told: list[str]
):
    given = "" if dependencies is None else json.dumps({"dependencies": dependencies})
    done = subprocess.run(
        [sys.executable, SCRIPT], input=given, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")
    for words in told:
        assert words in done.stdout
