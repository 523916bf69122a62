"""Namespaces through util-linux: ``unshare`` makes them, our first process furnishes them."""

import shutil

from sightline.sandbox.bubblewrap import USER_ID
from sightline.sandbox.launch import Launch, first_process, host_place
from sightline.sandbox.plan import Plan

TOOL = "unshare"


def launch() -> Launch:
    """The first process starts with the capabilities of its user namespace and drops them itself."""
    return Launch(command=_command, namespaces=True, confine=True, build_root=True)


def _command(plan: Plan, descriptor: int) -> list[str]:
    command: list[str] = []
    # The first process ends when our end of the socket closes. This is the second rope: a process forked
    # from ours by somebody else may hold that socket open beyond our death.
    if setpriv := shutil.which("setpriv"):
        command += [setpriv, "--pdeathsig", "KILL", "--"]
    command += [shutil.which(TOOL) or TOOL, "--user", f"--map-user={USER_ID}", f"--map-group={USER_ID}"]
    command += ["--keep-caps", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
    if not plan.share_network:
        command.append("--net")
    return [*command, "--", *first_process(str(plan.interpreter), host_place(), descriptor)]
