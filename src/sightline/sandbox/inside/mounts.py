# ruff: noqa: PTH102, PTH103, PTH106, PTH110, PTH112, PTH120, PTH211
"""Build the root file system of a sandbox from nothing, inside a mount namespace of its own.

The entries are the ones of ``sightline.sandbox.plan.Mount``, as JSON objects. It needs the capabilities
of the user namespace that owns the mount namespace, and leaves them to be dropped by the caller.
"""

import os
from typing import Any

from . import kernel

_OLD = "/.host"
_BASE = "/tmp"  # noqa: S108 - any folder will do: what is below it stays in sight as _OLD/tmp
_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def build_root(entries: list[dict[str, Any]]) -> None:
    """Make ``entries`` the whole file system of this process, with a read-only root."""
    os.umask(0o022)
    os.chdir("/")
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", _BASE, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=16m")
    os.mkdir(_BASE + _OLD)
    kernel.pivot_root(_BASE, _BASE + _OLD)
    os.chdir("/")
    for entry in entries:
        _add(entry)
    kernel.detach(_OLD)
    os.rmdir(_OLD)
    kernel.add_mount_flags("/", kernel.MS_RDONLY, recursive=False)


def _add(entry: dict[str, Any]) -> None:
    kind, target = entry["kind"], entry["target"]
    if kind == "symlink":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(entry["source"], target)
    elif kind == "tmpfs":
        os.makedirs(target, exist_ok=True)
        _tmpfs(target, f"mode=1777,size={entry['size_bytes']}")
    elif kind == "proc":
        os.makedirs(target, exist_ok=True)
        kernel.mount("proc", target, "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    elif kind == "dev":
        _devices(target)
    else:
        flags = kernel.MS_NOSUID
        if kind != "device":
            flags |= kernel.MS_NODEV
        if not entry["writable"]:
            flags |= kernel.MS_RDONLY
        # What is already inside the sandbox (a part of /proc, say) is protected in place.
        source = entry["source"] if kind == "protect" else _OLD + entry["source"]
        _bind(source, target, flags)


def _bind(source: str, target: str, flags: int) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.add_mount_flags(target, flags)


def _tmpfs(target: str, options: str) -> None:
    kernel.mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _devices(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    _tmpfs(folder, "mode=755,size=1m")
    for name in _DEVICES:
        _bind(f"{_OLD}/dev/{name}", f"{folder}/{name}", kernel.MS_NOSUID | kernel.MS_NOEXEC)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{folder}/{name}")
    os.mkdir(f"{folder}/pts")
    kernel.mount(
        "devpts",
        f"{folder}/pts",
        "devpts",
        kernel.MS_NOSUID | kernel.MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=620",
    )
