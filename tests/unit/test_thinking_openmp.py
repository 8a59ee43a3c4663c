"""llama.cpp finds an OpenMP runtime where the system has none."""

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from realtime_avatar.engines import openmp
from realtime_avatar.errors import ConfigError

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux looks for libgomp")

LOAD = """
import ctypes, pathlib, sys
ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
ctypes.CDLL("libgomp.so.1").omp_get_max_threads()
maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
print(*sorted({line.split()[-1] for line in maps if "libgomp" in line}), sep="\\n")
"""


def hide(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[str]:
    """Pretend that the system has no libgomp; return what is loaded instead."""
    loaded: list[str] = []

    def loads(name: str) -> bool:
        if name == "libgomp.so.1":
            return bool(loaded)
        loaded.append(name)
        return True

    def cache_path(_app: str) -> Path:
        return cache

    monkeypatch.setattr(openmp, "_loads", loads)
    monkeypatch.setattr(platformdirs, "user_cache_path", cache_path)
    return loaded


@linux
def test_the_copy_of_another_wheel_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded = hide(monkeypatch, tmp_path)
    openmp.ensure_libgomp()
    (copy,) = loaded
    assert Path(copy).is_relative_to(tmp_path)
    # The loader takes the copy for libgomp.so.1, by the name inside, even though this
    # system may have one of its own.
    done = subprocess.run(
        [sys.executable, "-c", LOAD, copy], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [copy]


@linux
def test_the_copy_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, tmp_path)
    openmp.ensure_libgomp()
    (copy,) = tmp_path.rglob("libgomp.so.1")
    made = copy.stat()
    hide(monkeypatch, tmp_path)
    openmp.ensure_libgomp()
    assert copy.stat().st_ino == made.st_ino
    copy.write_bytes(b"half")
    hide(monkeypatch, tmp_path)
    openmp.ensure_libgomp()
    assert copy.stat().st_size == made.st_size


@linux
def test_without_any_copy_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide(monkeypatch, tmp_path)
    monkeypatch.setattr(openmp, "_bundled", list)
    with pytest.raises(ConfigError, match="apt install libgomp1"):
        openmp.ensure_libgomp()


def test_a_name_is_replaced_in_place() -> None:
    library = b"\x7fELF\0libold-12ab.so.1\0more\0"
    new = openmp.renamed(library, "libold-12ab.so.1", "lib.so.1")
    assert new == b"\x7fELF\0lib.so.1\0\0\0\0\0\0\0\0\0more\0"


@pytest.mark.parametrize(("old", "new"), [("lib.so.1", "libnew.so.1"), ("libx.so.1", "lib.so.1")])
def test_a_name_that_cannot_be_replaced_is_an_error(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="lib"):
        openmp.renamed(b"\0lib.so.1\0", old, new)
