"""The package clients: pip, npm and huggingface_hub, each in a process of its own.

They are the ordinary ones, so that whatever mirror, proxy or certificate their owner has
configured for them works here too. What they fetch is never installed, imported or run.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from realtime_avatar.models.catalogue import Archive
from realtime_avatar.models.unpack import Unavailable

Report = Callable[[int], None]  # bytes downloaded so far

_LOOK_S = 0.2  # between looks at how much has been downloaded
_FULL_DISK = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded|EDQUOT")
_UNREACHABLE = re.compile(
    r"connection broken|Max retries exceeded|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    r"|ConnectError|ConnectionError|LocalEntryNotFoundError|OfflineModeIsEnabled"
    r"|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ERR_SOCKET"
)
_ABSENT = re.compile(
    r"No matching distribution found|Could not find a version"
    r"|EntryNotFoundError|RepositoryNotFoundError|RevisionNotFoundError"
    r"|E404|ETARGET|ENOVERSIONS"
)
_HUB_DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
repo, revision, file, folder = sys.argv[1:]
hf_hub_download(repo, file, revision=revision, local_dir=folder)
"""


def pip(archive: Archive, folder: Path, report: Report) -> Path:
    """Download a wheel into an empty folder and return its path.

    Raises:
        Unavailable: if there is no pip, no such wheel, or no network.
        OSError: if the disk is full.
    """
    if find_spec("pip") is None:
        raise Unavailable(
            f"the interpreter {sys.executable} has no pip (add it: python -m ensurepip)"
        )
    # -P keeps a pip.py in the current folder out of it. Only wheels: to look at a source
    # distribution pip would have to run it.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", f"--dest={folder}", f"{archive.package}=={archive.version}"]
    _run(command, folder, report, f"{archive.package} {archive.version}", "the package index")
    return _only(folder, "*.whl")


def npm(archive: Archive, folder: Path, report: Report) -> Path:
    """Download a package's tarball into an empty folder and return its path.

    Raises:
        Unavailable: if there is no npm, no such package, or no network.
        OSError: if the disk is full.
    """
    program = shutil.which("npm")
    if program is None:
        raise Unavailable("npm is not installed")
    command = [program, "pack", f"{archive.package}@{archive.version}", "--ignore-scripts"]
    command += ["--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    command += [f"--cache={folder / 'cache'}", f"--pack-destination={folder}"]
    _run(command, folder, report, f"{archive.package} {archive.version}", "the npm registry")
    return _only(folder, "*.tgz")


def hub(repo: str, revision: str, file: str, folder: Path, report: Report) -> Path:
    """Download one file of a repository into a folder, or go on doing so.

    Returns:
        The folder; the file is in it under its path in the repository.

    Raises:
        Unavailable: if there is no such file, or no network.
        OSError: if the disk is full.
    """
    command = [sys.executable, "-P", "-c", _HUB_DOWNLOAD, repo, revision, file, str(folder)]
    settings = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",  # its cache would keep a second copy; plain HTTP resumes
    }
    _run(command, folder, report, f"{repo} {file}", "huggingface.co", settings)
    return folder


def _run(
    command: Sequence[str],
    folder: Path,
    report: Report,
    what: str,
    where: str,
    settings: Mapping[str, str] | None = None,
) -> None:
    # TMPDIR: a small temporary file system must not be what limits a download, and what a
    # killed client leaves behind is cleared away with the folder.
    environment = {**os.environ, "TMPDIR": str(folder), **(settings or {})}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            output = _watch(process, folder, report)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise _failure(output, what, where)


def _watch(process: subprocess.Popen[str], folder: Path, report: Report) -> str:
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)[0]
        except subprocess.TimeoutExpired:
            report(disk_use(folder))


def _failure(output: str, what: str, where: str) -> Exception:
    if _FULL_DISK.search(output):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if _UNREACHABLE.search(output):
        return Unavailable(f"{where} cannot be reached")
    if _ABSENT.search(output):
        return Unavailable(f"{where} has no {what}")
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    errors = [line for line in lines if "error" in line.lower()]
    return Unavailable(f"{where} did not give {what}: {(errors or lines)[-1][:200]}")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Unavailable(f"{len(found)} files {pattern} came instead of one")
    return found[0]


def disk_use(folder: Path) -> int:
    """Return the bytes of all files in a folder, which may change meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:  # a temporary file has gone again
                continue
    return total
