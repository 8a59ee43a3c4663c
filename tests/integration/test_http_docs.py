"""What docs/http.md shows works."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

from realtime_avatar.dialogue.one_shot import bundled
from realtime_avatar.face.portrait import default_portrait

TEXT = (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def lay_out(folder: Path) -> None:
    for name in ("question.wav", "speech.wav"):
        (folder / name).write_bytes((bundled("speech") / "arctic_a0009.wav").read_bytes())
    (folder / "me.jpg").write_bytes(default_portrait().read_bytes())


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("curl ")])
def test_curl_gets_what_is_promised(command: str, fake_server: str, tmp_path: Path):
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed; on Debian: apt install curl")
    lay_out(tmp_path)
    words = shlex.split(command.replace("http://localhost:8080", fake_server))
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    if "-o" in words:
        made = tmp_path / words[words.index("-o") + 1]
        with av.open(str(made), "r") as file:
            assert file.format.name.split(",")[0] in {"mov", "wav", "mp3"}
            assert sum(frame.samples for frame in file.decode(audio=0)) > 1000
    elif "stream" in command:
        assert done.stdout.startswith(b"event: transcription\ndata: {")
        assert b"\nevent: complete\n" in done.stdout
    else:
        assert json.loads(done.stdout)


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("avatar ")])
def test_commands_work(command: str, tmp_path: Path):
    words = [sys.executable, "-m", "realtime_avatar", *shlex.split(command)[1:]]
    keys = {"AVATAR_KEYS": str(tmp_path / "keys.json")}
    done = subprocess.run(words, env=os.environ | keys, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_is_one_or_the_other():
    assert len(COMMANDS) == 15
    assert all(line.startswith(("curl ", "avatar ")) for line in COMMANDS)
