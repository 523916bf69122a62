"""Limits that each process carries with it, and the processors it may run on."""

import os
import secrets
from pathlib import Path

from sightline.sandbox.cgroups import ControlGroup
from sightline.sandbox.job import Limits
from sightline.sandbox.launch import Launch
from sightline.sandbox.plan import Plan

_SPARE_ADDRESSES = 1 << 30


def usable_cpus(wanted: int) -> int:
    """How many processors a job gets that asks for ``wanted``."""
    return min(wanted, len(os.sched_getaffinity(0)))


def choose_cpus(wanted: int) -> list[int] | None:
    """Processors for a job, at random so that jobs side by side spread; None for all that we have."""
    ours = sorted(os.sched_getaffinity(0))
    return None if wanted >= len(ours) else sorted(secrets.SystemRandom().sample(ours, wanted))


def resource_limits(limits: Limits, plan: Plan, launch: Launch, group: ControlGroup) -> dict[str, int]:
    """Values for ``setrlimit`` by name.

    A single file may grow to the output quota, or to the memory limit, which bounds shared memory. Where no
    control group limits memory, one process cannot ask for so much at once that the watch comes too late.
    """
    found = {
        "RLIMIT_FSIZE": max(limits.output_bytes, limits.memory_bytes),
        "RLIMIT_NPROC": limits.max_processes + (0 if launch.namespaces else _own_tasks()),
    }
    if not group.has("memory") and not plan.gpus:
        found["RLIMIT_DATA"] = 2 * limits.memory_bytes + _SPARE_ADDRESSES
    return found


def _own_tasks() -> int:
    """Threads of all processes of this user, against which the kernel counts outside of namespaces."""
    tasks = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == os.geteuid():
                tasks += len(os.listdir(process / "task"))  # noqa: PTH208
        except OSError:
            continue
    return tasks
