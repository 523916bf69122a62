"""Limits that the kernel keeps: a control group for each job, where this process may make one.

Version 1 (one folder per controller) and version 2 (one folder for all) are used as they are found. A
group is made below our own, or, where version 2 forbids that, beside it.
"""

import contextlib
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from sightline.sandbox.inside.processes import send

_PREFIX = "sightline-"
_CONTROLLERS = ("memory", "pids", "cpu")
_CPU_PERIOD_US = 100_000


@dataclass
class ControlGroup:
    """``folders`` maps each controller that we got to its folder; empty where we got none."""

    folders: dict[str, Path] = field(default_factory=dict)
    version: int = 1

    @classmethod
    def create(cls, memory_bytes: int, processes: int, cpus: int | None) -> "ControlGroup":
        """A new group with these limits; a controller that cannot be had is left out.

        ``cpus`` None means all of them.
        """
        parents, version = find_parents()
        group = cls(version=version)
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        for controller, parent in parents.items():
            sweep(parent)
            folder = parent / name
            try:
                folder.mkdir(exist_ok=True)
                group.folders[controller] = folder
                group._limit(controller, memory_bytes, processes, cpus)
            except OSError:
                group.folders.pop(controller, None)
                if folder not in group.folders.values():
                    with contextlib.suppress(OSError):
                        folder.rmdir()
        return group

    def has(self, controller: str) -> bool:
        """Whether the kernel keeps this limit."""
        return controller in self.folders

    def add(self, process: int) -> None:
        """Move a process in; its children are born there. What cannot be entered is dropped."""
        for controller, folder in list(self.folders.items()):
            try:
                (folder / "cgroup.procs").write_text(str(process))
            except OSError:
                del self.folders[controller]

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has ended a process of this group for its memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        for line in self._read("memory", name).splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value) > 0
        return False

    def peak_memory_bytes(self) -> int | None:
        """The most that all processes together ever held."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        text = self._read("memory", name).strip()
        return int(text) if text else None

    def processes(self) -> set[int]:
        """All that are in it."""
        return {
            int(pid) for controller in self.folders for pid in self._read(controller, "cgroup.procs").split()
        }

    def end(self, patience_s: float = 5.0) -> None:
        """Kill whatever is still in it and remove it."""
        until = time.monotonic() + patience_s
        while (left := self.processes()) and time.monotonic() < until:
            for process in left:
                send(process, 9)
            time.sleep(0.005)
        for folder in set(self.folders.values()):
            _remove(folder, until)
        self.folders.clear()

    def _limit(self, controller: str, memory_bytes: int, processes: int, cpus: int | None) -> None:
        folder = self.folders[controller]
        if controller == "pids":
            (folder / "pids.max").write_text(str(processes))
        elif controller == "cpu":
            # However many processes the job has, they share as one with all else that runs here.
            name, weight = ("cpu.shares", "512") if self.version == 1 else ("cpu.weight", "50")
            (folder / name).write_text(weight)
            if cpus is None:
                return
            quota = cpus * _CPU_PERIOD_US
            if self.version == 1:
                (folder / "cpu.cfs_period_us").write_text(str(_CPU_PERIOD_US))
                (folder / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (folder / "cpu.max").write_text(f"{quota} {_CPU_PERIOD_US}")
        elif controller == "memory":
            limit, swap, swap_limit = (
                ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", str(memory_bytes))
                if self.version == 1
                else ("memory.max", "memory.swap.max", "0")
            )
            (folder / limit).write_text(str(memory_bytes))
            with contextlib.suppress(OSError):  # a kernel without swap accounting
                (folder / swap).write_text(swap_limit)

    def _read(self, controller: str, name: str) -> str:
        folder = self.folders.get(controller)
        if folder is None:
            return ""
        try:
            return (folder / name).read_text()
        except OSError:
            return ""


def find_parents(proc: Path = Path("/proc/self")) -> tuple[dict[str, Path], int]:
    """For each controller the folder in which this process may make groups, and the version of it all."""
    try:
        own = dict(_own_groups((proc / "cgroup").read_text()))
        mounts = _control_group_mounts((proc / "mountinfo").read_text())
    except OSError:
        return {}, 1
    parents: dict[str, Path] = {}
    for controller in _CONTROLLERS:
        folder = _folder_of(mounts.get(controller), own.get(controller))
        if folder is not None and os.access(folder, os.W_OK):
            parents[controller] = folder
    if parents:
        return parents, 1
    unified = _folder_of(mounts.get(""), own.get(""))
    if unified is None:
        return {}, 2
    # A group with processes in it cannot hand controllers down, unless it is the root of all.
    for folder in (unified, unified.parent):
        try:
            handed_down = (folder / "cgroup.subtree_control").read_text().split()
        except OSError:
            continue
        if "memory" in handed_down and os.access(folder, os.W_OK):
            return {name: folder for name in _CONTROLLERS if name in handed_down}, 2
    return {}, 2


def _own_groups(text: str) -> list[tuple[str, str]]:
    """(controller, path) from ``/proc/self/cgroup``; version 2 has the controller ''."""
    found = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found += [(controller, path) for controller in controllers.split(",")]
    return found


def _control_group_mounts(text: str) -> dict[str, tuple[str, Path]]:
    """Controller -> (the group that is the mount's root, where it is mounted), from ``mountinfo``."""
    found: dict[str, tuple[str, Path]] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        fields = before.split()
        place = (fields[3], Path(fields[4]))
        if kind == "cgroup2":
            found[""] = place
        elif kind == "cgroup":
            found.update({option: place for option in options.split(",") if option in _CONTROLLERS})
    return found


def _folder_of(mount: tuple[str, Path] | None, group: str | None) -> Path | None:
    if mount is None or group is None:
        return None
    root, place = mount
    if root != "/" and not f"{group}/".startswith(f"{root}/"):
        return None
    folder = place / group.removeprefix(root if root != "/" else "").lstrip("/")
    return folder if folder.is_dir() else None


def sweep(parent: Path) -> None:
    """Remove the groups of supervisors that were killed; a group with processes in it stays."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _remove(folder: Path, until: float) -> None:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return
            time.sleep(0.005)
        else:
            return
