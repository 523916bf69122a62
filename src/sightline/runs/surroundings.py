"""What a run depends on beside its own files: versions, machine, and the state of the repository."""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import sightline

_GIT_TIMEOUT_S = 5.0
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


def git_state(folder: Path) -> dict[str, Any] | None:
    """``{"commit", "branch", "dirty"}`` of the repository that ``folder`` is in, or None without one.

    Values are None where git is missing or does not answer: a run never waits for it or fails by it.
    """
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
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


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        described = distribution.metadata  # parsed anew at each access
        if described["Name"]:
            found.setdefault(described["Name"], described["Version"])
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs that the driver lists; asking the driver's files loads no library."""
    names: list[str] = []
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            text = information.read_text(errors="replace")
        except OSError:
            continue
        match = re.search(r"^Model:\s*(.+)$", text, re.MULTILINE)
        names.append(match.group(1).strip() if match else information.parent.name)
    return names
