"""A command and the world it shall see, before any tool is asked to make it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

MountKind = Literal["bind", "device", "protect", "tmpfs", "proc", "dev", "symlink"]


@dataclass(frozen=True)
class Mount:
    """One entry of a sandbox's file system.

    ``bind``: the host's ``source`` (a real path) at ``target``, without devices and set-uid bits;
    ``device``: the same for a device. ``protect``: a part of what is mounted already, made read-only.
    ``tmpfs``: private memory of at most ``size_bytes``. ``symlink``: ``target`` points to ``source``.
    """

    kind: MountKind
    target: str
    source: str = ""
    writable: bool = False
    size_bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """``mounts`` is the whole file system (ignored where there is no isolation), in order.

    ``make_folders`` are created at the start, as the job sees them. ``counted`` are the host's folders
    whose growth counts against the output quota. ``failure`` is a file whose text explains a failure.
    ``gpus``: drivers reserve far more addresses than memory, so no limit is set on addresses.
    """

    command: tuple[str, ...]
    folder: str
    variables: Mapping[str, str]
    interpreter: Path
    mounts: tuple[Mount, ...] = ()
    make_folders: tuple[str, ...] = ()
    counted: tuple[Path, ...] = ()
    failure: Path | None = None
    share_network: bool = False
    gpus: bool = False


def read_only(path: Path, target: Path | None = None) -> Mount:
    """``path`` at ``target``, or at the same place."""
    return Mount("bind", str(target or path.absolute()), str(path.resolve()))


def without_repeats(mounts: list[Mount]) -> list[Mount]:
    """Leave out read-only binds of which an earlier one already shows the same place."""
    kept: list[Mount] = []
    for mount in mounts:
        if mount.kind != "bind" or mount.writable or not any(_shows(other, mount) for other in kept):
            kept.append(mount)
    return kept


def _shows(outer: Mount, inner: Mount) -> bool:
    if outer.kind != "bind" or outer.writable:
        return False
    target, source = PurePosixPath(inner.target), PurePosixPath(inner.source)
    if not target.is_relative_to(outer.target) or not source.is_relative_to(outer.source):
        return False
    return target.relative_to(outer.target) == source.relative_to(outer.source)
