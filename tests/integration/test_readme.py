"""The README's code runs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from realtime_avatar.config import Settings

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.weights
@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hello.mp4").stat().st_size > 10_000


@pytest.mark.parametrize("code", blocks("toml"))
def test_settings_are_valid(code: str):
    Settings.model_validate(tomllib.loads(code))


def test_a_result_is_within_25_lines():
    lines = README.splitlines()
    assert "make run" in "\n".join(lines[:25])


def test_every_command_exists():
    for line in "\n".join(blocks("sh")).splitlines():
        if "avatar " not in line:
            continue
        command = line.split("avatar ", 1)[1].split()[0]
        done = subprocess.run(
            [sys.executable, "-m", "realtime_avatar", command, "--help"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for flag in re.findall(r"--\w+", line):
            assert flag in done.stdout
