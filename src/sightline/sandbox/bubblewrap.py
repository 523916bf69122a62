"""Namespaces through bubblewrap (``bwrap``)."""

import functools
import shutil
import subprocess

from sightline.sandbox.launch import Launch, first_process
from sightline.sandbox.plan import Mount, Plan
from sightline.sandbox.rootfs import HOSTNAME, INSIDE

TOOL = "bwrap"
USER_ID = 1000


def launch() -> Launch:
    """bwrap builds the root and gives up all privileges before our first process starts."""
    return Launch(command=_command, namespaces=True, confine=True, build_root=False)


@functools.cache
def _options() -> str:
    program = shutil.which(TOOL)
    if program is None:
        return ""
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout


def _command(plan: Plan, descriptor: int) -> list[str]:
    program = shutil.which(TOOL) or TOOL
    command = [program, "--unshare-all", "--unshare-user", "--uid", str(USER_ID), "--gid", str(USER_ID)]
    if plan.share_network:
        command.append("--share-net")
    if "--disable-userns" in _options():  # since 0.8; our filter of system calls forbids it as well
        command.append("--disable-userns")
    command += ["--hostname", HOSTNAME, "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    for mount in plan.mounts:
        command += _arguments(mount)
    command += ["--remount-ro", "/", "--chdir", "/", "--"]
    place = INSIDE.rpartition("/")[0]
    return command + first_process(str(plan.interpreter), place, descriptor)


def _arguments(mount: Mount) -> list[str]:
    match mount.kind:
        case "bind":
            return ["--bind" if mount.writable else "--ro-bind", mount.source, mount.target]
        case "device":
            return ["--dev-bind", mount.source, mount.target]
        case "tmpfs":
            return ["--perms", "1777", "--size", str(mount.size_bytes), "--tmpfs", mount.target]
        case "proc" | "dev":
            return [f"--{mount.kind}", mount.target]
        case "symlink":
            return ["--symlink", mount.source, mount.target]
        case "protect":
            return ["--ro-bind", mount.target, mount.target]
