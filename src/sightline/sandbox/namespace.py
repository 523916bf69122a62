"""The sandbox that isolates: Linux namespaces, made by bubblewrap or by util-linux."""

import functools
import shutil
import sys
import threading
from typing import Literal

from sightline.errors import SightlineError
from sightline.sandbox import bubblewrap, unshare
from sightline.sandbox.cgroups import find_parents
from sightline.sandbox.contract import plan_job
from sightline.sandbox.interpreter import host_environment
from sightline.sandbox.job import Ending, Job, Limits, OnLine, Outcome
from sightline.sandbox.plan import Plan, read_only, without_repeats
from sightline.sandbox.resources import usable_cpus
from sightline.sandbox.rootfs import base_mounts
from sightline.sandbox.supervise import Supervision

Tool = Literal["bubblewrap", "unshare"]
TOOLS: tuple[Tool, ...] = ("bubblewrap", "unshare")
_BACK_ENDS = {"bubblewrap": bubblewrap, "unshare": unshare}


class NamespaceSandbox:
    """No network, a root made from nothing, a read-only dataset, own processes, no privileges."""

    name: Literal["namespace"] = "namespace"
    isolated = True

    def __init__(self, tool: Tool | None = None) -> None:
        """``tool`` None takes the first that works; SightlineError says why none does."""
        problems = {}
        for candidate in (tool,) if tool else TOOLS:
            problem = why_not(candidate)
            if problem is None:
                self.tool: Tool = candidate
                return
            problems[candidate] = problem
        raise SightlineError("no namespace sandbox here: " + "; ".join(problems.values()))

    def describe(self) -> str:
        """One line for the job's log."""
        kept = "control groups" if "memory" in find_parents()[0] else "a watch on its processes"
        return (
            f"namespace ({self.tool}): no network, dataset read-only, own files, processes and /tmp, "
            f"no privileges; memory limited by {kept}"
        )

    def run(self, job: Job, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """See ``Sandbox.run``."""
        if not job.dataset.is_dir():
            raise SightlineError(f"the dataset folder {job.dataset} does not exist")
        plan = plan_job(job, usable_cpus(job.limits.cpus), isolated=True)
        return self.execute(plan, job.limits, on_line, cancel)

    def execute(self, plan: Plan, limits: Limits, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """See ``Sandbox.execute``."""
        return Supervision(_BACK_ENDS[self.tool].launch(), plan, limits, on_line).run(cancel)


@functools.cache
def why_not(tool: Tool) -> str | None:
    """Why this tool makes no sandbox on this machine, found by trying; None when it does."""
    if sys.platform != "linux":
        return f"{tool} needs Linux"
    program = _BACK_ENDS[tool].TOOL
    if shutil.which(program) is None:
        return f"{program} is not installed"
    python = host_environment()
    mounts = [*base_mounts(1 << 20), *map(read_only, python.paths)]
    plan = Plan(("true",), "/", {"PATH": "/usr/bin:/bin"}, python.base, tuple(without_repeats(mounts)))
    limits = Limits(time_s=20, memory_bytes=1 << 28, output_bytes=1 << 20, cpus=1)
    lines: list[str] = []
    supervision = Supervision(
        _BACK_ENDS[tool].launch(), plan, limits, on_line=lambda _, text: lines.append(text)
    )
    try:
        outcome = supervision.run(threading.Event())
    except SightlineError as error:
        return f"{program} does not work here ({error})"
    return None if outcome.ending is Ending.SUCCEEDED else f"{program} does not work here ({outcome.reason})"
