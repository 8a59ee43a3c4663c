"""Archives are only read from, whatever they contain."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_avatar.models.unpack import PIECE, Unavailable, pieces
from wheels import tarball

EVIL = {
    "../evil.bin": b"up",
    "/evil-absolute.bin": b"root",
    "package/../../evil.bin": b"inside",
    "package/good.bin": b"good",
}


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _read(path: Path, wanted: dict[str, str]) -> dict[str, bytes]:
    found = dict.fromkeys(wanted, b"")
    for name, piece in pieces(path, wanted):
        found[name] += piece
    return found


@pytest.mark.parametrize("make", [_zip, tarball])
def test_nothing_but_the_wanted_member_is_touched(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    archive = make(inside / "archive", EVIL)
    assert _read(archive, {"model.bin": "package/good.bin"}) == {"model.bin": b"good"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
    assert not Path("/evil-absolute.bin").exists()


@pytest.mark.parametrize("make", [_zip, tarball])
def test_a_missing_member_is_named(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    archive = make(tmp_path / "archive", {"package/good.bin": b"good"})
    with pytest.raises(Unavailable, match=r"no file package/bad\.bin in archive"):
        _read(archive, {"a": "package/good.bin", "b": "package/bad.bin"})


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    archive = tarball(tmp_path / "a.tgz", {"package/x": b""}, {"package/model.bin": str(secret)})
    with pytest.raises(Unavailable, match=r"no file package/model\.bin"):
        _read(archive, {"model.bin": "package/model.bin"})


def test_members_come_in_small_pieces(tmp_path: Path) -> None:
    content = bytes(3 * PIECE + 1)
    archive = _zip(tmp_path / "a.whl", {"big.bin": content})
    sizes = [len(piece) for _, piece in pieces(archive, {"big.bin": "big.bin"})]
    assert sum(sizes) == len(content)
    assert max(sizes) <= PIECE


def test_a_cut_off_tarball_is_broken(tmp_path: Path) -> None:
    archive = tarball(tmp_path / "a.tgz", {"package/model.bin": bytes(range(256)) * 999})
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(Unavailable, match=r"a\.tgz is broken"):
        _read(archive, {"model.bin": "package/model.bin"})


def test_a_bit_that_fell_over_is_noticed(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.whl", {"model.bin": b"right" * 99})
    archive.write_bytes(archive.read_bytes().replace(b"rightright", b"rightwrong"))
    with pytest.raises(Unavailable, match=r"a\.whl is broken"):
        _read(archive, {"model.bin": "model.bin"})


def test_something_else_altogether_is_broken(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    archive.write_text("<html>please log in</html>")
    with pytest.raises(Unavailable, match=r"a\.whl is broken"):
        _read(archive, {"model.bin": "model.bin"})
