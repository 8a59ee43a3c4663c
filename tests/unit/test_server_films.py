"""Films are gone with their server, however it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from realtime_avatar.server.films import films_folder

_SERVER = """
import sys
from realtime_avatar.server.films import films_folder
with films_folder() as folder:
    (folder / "a.mp4").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_at_the_end(temporary: Path):
    with films_folder() as folder:
        assert list(temporary.iterdir()) == [folder]
        (folder / "a.mp4").write_bytes(b"x")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_server_left_is_removed_by_the_next(temporary: Path):
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        theirs = Path(server.stdout.readline().decode().strip())
        with films_folder() as ours:
            assert {*temporary.iterdir()} == {ours, theirs}  # it lives
        server.kill()
        server.wait()
    assert (theirs / "a.mp4").exists()
    with films_folder() as ours:
        assert [*temporary.iterdir()] == [ours]


def test_only_our_own_folders_are_removed(temporary: Path, monkeypatch: pytest.MonkeyPatch):
    kept, other = temporary / "kept", temporary / "avatar-films-x"
    kept.mkdir()
    other.mkdir()
    (temporary / "avatar-films-link").symlink_to(kept)
    (temporary / "avatar-films-file").write_bytes(b"")
    monkeypatch.setattr("os.getuid", lambda: -1)  # so that all are another's
    with films_folder() as ours:
        assert ours.is_dir()
        assert other.is_dir()
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with films_folder():
        assert kept.is_dir()
        assert not other.exists()
