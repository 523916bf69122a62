"""How a back end starts the first process of a sandbox, and the order that process is given."""

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.sandbox.plan import Plan

_ENTRY = "import sys; sys.path.insert(0, {place!r}); from inside.main import main; main({descriptor})"


@dataclass(frozen=True)
class Launch:
    """``command(plan, descriptor)`` is what to execute so that the first process comes to life.

    ``namespaces``: the kernel kills all that is left when the first process ends. ``confine``: give up
    privileges and filter system calls. ``build_root``: the first process mounts ``plan.mounts`` itself.
    """

    command: Callable[[Plan, int], Sequence[str]]
    namespaces: bool
    confine: bool
    build_root: bool


def first_process(interpreter: str, place: str, descriptor: int) -> list[str]:
    """The command of the first process; ``place`` is the folder that holds ``inside``."""
    entry = _ENTRY.format(place=place, descriptor=descriptor)
    return [interpreter, "-I", "-S", "-B", "-c", entry]


def host_place() -> str:
    """Where ``inside`` lies on the host."""
    return str(Path(__file__).parent)


def order_of_work(
    launch: Launch, plan: Plan, hostname: str, cpus: Sequence[int], resources: dict[str, int]
) -> dict[str, Any]:
    """What ``inside.main`` is told. ``resources`` maps names in ``resource`` to limits."""
    assert all(hasattr(resource, name) for name in resources)
    return {
        "build_root": launch.build_root,
        "command": list(plan.command),
        "confine": launch.confine,
        "cpus": list(cpus),
        "end_tree": not launch.namespaces,
        "folder": plan.folder,
        "folders": list(plan.make_folders),
        "hostname": hostname,
        "loopback": not plan.share_network,
        "mounts": [vars(mount) for mount in plan.mounts] if launch.build_root else [],
        "resources": resources,
        "variables": dict(plan.variables),
    }
