"""What a run depends on beside its own files: versions, machine, and the state of the repository."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from threading import Timer
from typing import Any

import sightline
from sightline.errors import SightlineError
from sightline.files import written_whole

_GIT_TIMEOUT_S = 5.0
_DIFF_TIMEOUT_S = 2.0
_LONGEST_DIFF = 4 << 20  # bytes
_CUT = "# The patch is too long; the rest is left out.\n"
_MOST_UNTRACKED = 1000  # names
_SMI_TIMEOUT_S = 1.0
_MAIN_LIBRARIES = ("numpy", "polars", "torch", "torchvision", "timm", "scikit-learn", "onnxruntime")
_SECRET_FLAG = re.compile(r"^-{0,2}[\w-]*(key|token|secret|password|passwd|credential)[\w-]*$", re.IGNORECASE)
_HIDDEN = "***"


def main_versions() -> dict[str, str]:
    """Versions of Python, Sightline and the installed libraries that results depend on most."""
    versions = {"python": platform.python_version(), "sightline": sightline.__version__}
    for library in _MAIN_LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def environment() -> dict[str, Any]:
    """Platform, processors, memory in bytes, GPUs and every installed package; no environment variables,
    because those hold secrets."""
    return {
        "python": sys.version,
        "executable": sys.executable,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": _gpus(),
        "packages": _packages(),
    }


def command() -> list[str]:
    """The running command line, with the values of options that look like secrets replaced."""
    shown: list[str] = []
    hide_next = False
    for word in sys.argv:
        flag, equals, _ = word.partition("=")
        if hide_next and not word.startswith("-"):
            shown.append(_HIDDEN)
        elif equals and _SECRET_FLAG.match(flag):
            shown.append(f"{flag}={_HIDDEN}")
        else:
            shown.append(word)
        hide_next = not equals and word.startswith("-") and bool(_SECRET_FLAG.match(word))
    return shown


def _repository(folder: Path) -> Path | None:
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def git_state(folder: Path) -> dict[str, Any] | None:
    """``{"commit", "branch", "dirty"}`` of the repository that ``folder`` is in, or None without one.

    Values are None where git is missing or does not answer: a run never waits for it or fails by it.
    """
    if _repository(folder) is None:
        return None
    git = shutil.which("git")
    state: dict[str, Any] = {"commit": None, "branch": None, "dirty": None}
    if git is None:
        return state
    status = _ask(git, folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return state
    lines = status.splitlines()
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and " " in line[2:])
    commit = headers.get("branch.oid")
    state["commit"] = None if commit == "(initial)" else commit
    branch = headers.get("branch.head")
    state["branch"] = None if branch == "(detached)" else branch
    state["dirty"] = any(not line.startswith("#") for line in lines)
    return state


def _ask(git: str, folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            [git, "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def git_diff(folder: Path) -> str | None:
    """What is not committed in the repository that ``folder`` is in: a line for each untracked file or
    folder, by name only, then the changes as a patch that ``git apply`` takes. None where there is nothing.
    Bytes that are not UTF-8 are surrogates.

    A patch above 4 MiB, and one that git has not written after 2 s, ends between two files and says so.
    """
    git, root = shutil.which("git"), _repository(folder)
    if git is None or root is None:
        return None
    # Whatever the user's settings for reading diffs are.
    shape = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
    listing = ("--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    try:
        # Both at once: on a large repository each takes a good part of a second.
        with _begun(git, root, "diff", *shape, "HEAD") as diff, _begun(git, root, "ls-files", *listing) as ls:
            patch, is_whole = _first_bytes(diff)
            names, _ = _first_bytes(ls)
    except OSError:
        return None
    untracked = [name for name in names.decode(errors="surrogateescape").split("\0") if name]
    lines = [f"# untracked: {name!r}"[:300] for name in untracked[:_MOST_UNTRACKED]]
    if len(untracked) > _MOST_UNTRACKED:
        lines.append(f"# untracked: {len(untracked) - _MOST_UNTRACKED} more")
    text = "".join(f"{line}\n" for line in lines) + patch.decode(errors="surrogateescape")
    if not is_whole:
        # A patch that ends between two files still applies.
        text = text[: text.rfind("\ndiff --git ") + 1] + _CUT
    return text or None


def write_git_diff(folder: Path, path: Path) -> None:
    """Write `git_diff` of ``folder`` to ``path``; where there is nothing, the file of an earlier start goes.

    Raises:
        SightlineError: the file cannot be written.
    """
    diff = git_diff(folder)
    try:
        if diff is None:
            path.unlink(missing_ok=True)
            return
        with written_whole(path) as temporary:
            temporary.write_bytes(diff.encode(errors="surrogateescape"))
    except OSError as error:
        raise SightlineError(f"{path}: cannot be written ({error.strerror}).") from error


@contextmanager
def _begun(git: str, folder: Path, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
    settings = ("--no-optional-locks", "-c", "core.quotePath=false", "-C", str(folder))
    with subprocess.Popen(
        [git, *settings, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        ended = Timer(_DIFF_TIMEOUT_S, process.kill)
        ended.start()
        try:
            yield process
        finally:
            ended.cancel()
            process.kill()


def _first_bytes(process: "subprocess.Popen[bytes]") -> tuple[bytes, bool]:
    """What it prints, and whether that is all of it."""
    assert process.stdout
    text = process.stdout.read(_LONGEST_DIFF)
    is_whole = len(text) < _LONGEST_DIFF and process.wait() >= 0
    return text, is_whole


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        described = distribution.metadata  # parsed anew at each access
        if described["Name"]:
            found.setdefault(described["Name"], described["Version"])
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _cpu() -> str:
    """The processor's name, such as ``AMD EPYC 7763``; where Linux does not tell, its architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1).strip() if match else platform.machine()


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs: what the driver's files list (loads no library, takes no time), and in
    containers that hide them what nvidia-smi says within a second."""
    names: list[str] = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            text = information.read_text(errors="replace")
        except OSError:
            continue
        match = re.search(r"^Model:\s*(.+)$", text, re.MULTILINE)
        names.append(match.group(1).strip() if match else information.parent.name)
    return names or _gpus_of_smi()


def _gpus_of_smi() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, errors="replace", timeout=_SMI_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
