"""The part of the host that every sandbox sees: programs and libraries, and no state of anybody."""

import stat
from pathlib import Path

from sightline.sandbox.plan import Mount, read_only

HOSTNAME = "sightline-job"
INSIDE = "/opt/sightline/inside"

_STUBS = Path(__file__).parent / "etc"
_NETWORK_FILES = ("hosts", "nsswitch.conf", "resolv.conf")
_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "alternatives",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "ssl/certs",
    "ssl/openssl.cnf",
)
# Counts and layout of processors: numeric libraries complain or guess without them.
_SYS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_MASKED = ("kallsyms", "key-users", "keys", "timer_list")


def base_mounts(memory_bytes: int, host_names: bool = False) -> list[Mount]:
    """System folders, ``/etc`` stubs, ``/proc``, ``/dev``, and a private ``/tmp`` and ``/dev/shm``.

    ``host_names``: look names up as the host does, for what shares the host's network.
    """
    mounts = [read_only(Path("/usr"))]
    for name in _TOP_LEVEL:
        path = Path("/", name)
        if path.is_symlink():
            mounts.append(Mount("symlink", str(path), str(path.readlink())))
        elif path.is_dir():
            mounts.append(read_only(path))
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            mounts.append(read_only(path))
    for stub in sorted(_STUBS.iterdir()):
        host = Path("/etc", stub.name)
        use_host = host_names and stub.name in _NETWORK_FILES and host.exists()
        mounts.append(read_only(host if use_host else stub, host))
    mounts.append(Mount("proc", "/proc"))
    mounts += _guards_of_proc()
    mounts += [read_only(Path(path)) for path in _SYS if Path(path).exists()]
    mounts.append(Mount("dev", "/dev"))
    mounts.append(Mount("tmpfs", "/dev/shm", size_bytes=memory_bytes))  # noqa: S108
    mounts.append(Mount("tmpfs", "/tmp", size_bytes=memory_bytes))  # noqa: S108
    mounts.append(read_only(Path(__file__).parent / "inside", Path(INSIDE)))
    return mounts


def _guards_of_proc() -> list[Mount]:
    """Make read-only or hide what no namespace confines.

    Where we are root, so is the job in the eyes of the kernel, though without any capability; the files of
    ``/proc/sys`` and others ask for no more than that. bwrap leaves ``/proc/sys`` writable then.
    """
    guards = []
    for path in sorted(Path("/proc").iterdir()):
        if path.name.isdigit() or path.is_symlink():
            continue
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            guards.append(Mount("protect", str(path), str(path)))
        elif path.name in _MASKED or mode & 0o222 or not mode & 0o004:
            guards.append(Mount("bind", str(path), "/dev/null"))
    return guards


def gpu_mounts(gpus: tuple[str, ...]) -> list[Mount]:
    """The devices of NVIDIA GPUs by index, with what their driver needs; nothing for no GPUs."""
    if not gpus:
        return []
    nodes = [Path("/dev") / f"nvidia{gpu}" for gpu in gpus]
    nodes += [Path("/dev/nvidiactl"), Path("/dev/nvidia-uvm"), Path("/dev/nvidia-uvm-tools")]
    mounts = [Mount("device", str(node), str(node), writable=True) for node in nodes if node.exists()]
    system = [Path("/sys", name) for name in ("bus/pci", "devices", "module/nvidia", "module/nvidia_uvm")]
    return [*mounts, *(read_only(path) for path in system if path.exists())]
