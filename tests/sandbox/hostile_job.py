# ruff: noqa: PTH109, PTH115, PTH208, SIM115
"""Runs as a job and tries to get out. Prints one JSON object: what was tried -> how it went.

A try that is refused gives ``refused: ...``, one that works gives ``worked: ...``.
"""

import ctypes
import fcntl
import json
import multiprocessing
import os
import socket
import struct
import sys
from pathlib import Path

given = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
results: dict[str, object] = {}


def attempt(name):
    def run(action):
        try:
            results[name] = f"worked: {action()!r}"
        except BaseException as error:
            results[name] = f"refused: {type(error).__name__}: {error}"

    return run


def call(function, *arguments):
    ctypes.set_errno(0)
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


def connect(family, kind, address):
    with socket.socket(family, kind) as handle:
        handle.settimeout(2)
        handle.connect(address)
        handle.send(b"x")


dataset = Path(os.environ["SIGHTLINE_DATASET_DIR"])
tcp, udp = (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)

# network
attempt("tcp to the host")(lambda: connect(*tcp, ("127.0.0.1", given["tcp_port"])))
attempt("tcp outside")(lambda: connect(*tcp, ("1.1.1.1", 443)))
attempt("udp outside")(lambda: connect(*udp, ("8.8.8.8", 53)))
attempt("name")(lambda: socket.getaddrinfo("example.com", 80))
attempt("ipv6")(lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ("2606:4700:4700::1111", 443)))
attempt("metadata address")(lambda: connect(*tcp, ("169.254.169.254", 80)))
attempt("unix socket of the host")(lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, given["unix_socket"]))
attempt("abstract socket of the host")(
    lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + given["abstract_socket"])
)
attempt("vsock to the hypervisor")(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).fileno() > 0)
attempt("raw packets")(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno() > 0)
attempt("raise an interface")(
    lambda: fcntl.ioctl(socket.socket(*udp), 0x8914, b"lo".ljust(16, b"\0") + struct.pack("H", 0) + bytes(22))
)

# dataset
attempt("new file in the dataset")(lambda: (dataset / "new").write_text("x"))
attempt("change the dataset")(lambda: (dataset / "image.txt").open("a"))
attempt("delete from the dataset")(lambda: (dataset / "image.txt").unlink())
attempt("chmod in the dataset")(lambda: (dataset / "image.txt").chmod(0o777))
attempt("remount the dataset")(
    lambda: call(libc.mount, b"none", os.fsencode(dataset), None, 0x20 | 0x1000, None)
)
attempt("unmount the dataset")(lambda: call(libc.umount2, os.fsencode(dataset), 2))

# the host's files
attempt("secret of the host")(lambda: Path(given["secret"]).read_text())
attempt("shadow")(lambda: Path("/etc/shadow").read_text())

# Python and the modules that a job may import are there, wherever on the host they lie.
own = [path for path in (sys.prefix, sys.base_prefix, *sys.path) if path]


def files_of_others(folder):
    found = []
    for here, folders, files in os.walk(folder):
        if any(f"{here}/".startswith(f"{path}/") for path in own):
            folders.clear()
        else:
            found += [f"{here}/{name}" for name in files]
    return found


for folder in ("/root", "/home", "/var", "/run", "/srv", "/mnt", "/boot"):
    attempt(f"files in {folder}")(lambda folder=folder: files_of_others(folder)[:3])
for place in ("/", "/usr", "/etc", "/opt", "/opt/ml", "/opt/ml/input", "/dev", "/proc/sys/kernel"):
    attempt(f"write to {place}")(lambda place=place: Path(place, "sightline-test").write_text("x"))
attempt("write kernel settings")(lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)))
attempt("system request")(lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)))
attempt("physical memory")(lambda: Path("/proc/kcore").open("rb").read(1))
attempt("kernel messages")(lambda: os.read(os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK), 1))
attempt("first process's memory")(lambda: Path("/proc/1/mem").open("rb"))
attempt("first process's root")(lambda: os.listdir("/proc/1/root"))
attempt("first process's descriptors")(lambda: os.readlink("/proc/1/fd/3"))
attempt("link in place of outputs")(lambda: Path("/opt/ml/output/data").rename("/opt/ml/output/elsewhere"))

# privileges
attempt("become root")(lambda: os.setuid(0))
attempt("become root by setresuid")(lambda: os.setresuid(0, 0, 0))
attempt("mount")(lambda: call(libc.mount, b"t", b"/tmp", b"tmpfs", 0, None))
attempt("new user namespace")(lambda: call(libc.unshare, 0x10000000))
attempt("new user namespace by clone")(lambda: call(libc.syscall, 56, 0x10000000 | 17, 0, 0, 0, 0))
attempt("trace the first process")(lambda: call(libc.ptrace, 16, 1, 0, 0))
attempt("read the first process's memory")(lambda: call(libc.process_vm_readv, 1, 0, 0, 0, 0, 0) and None)
attempt("chroot")(lambda: os.chroot("/tmp"))
attempt("device node")(lambda: os.mknod("/tmp/device", 0o60666, os.makedev(8, 0)))
attempt("load a kernel program")(lambda: call(libc.syscall, 321, 0, 0, 0))
attempt("kernel keys")(lambda: call(libc.syscall, 250, 0, -4, 0))
attempt("io_uring")(lambda: call(libc.syscall, 425, 1, ctypes.create_string_buffer(200)))
attempt("type into a terminal")(lambda: fcntl.ioctl(0, 0x5412, b"x"))
attempt("controlling terminal")(lambda: os.open("/dev/tty", os.O_RDWR))
attempt("kill the first process")(lambda: os.kill(1, 9))

# what must work
attempt("shared memory")(lambda: Path("/dev/shm/block").write_bytes(bytes(1 << 20)))


def double(number):
    return 2 * number


def use_pool():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(double, [1, 2, 3])


attempt("multiprocessing")(use_pool)


def use_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect(*tcp, server.getsockname())


attempt("own loopback")(use_loopback)
for name in ("MODEL", "CHECKPOINT", "ARTIFACT", "RUN"):
    folder = Path(os.environ[f"SIGHTLINE_{name}_DIR"])
    attempt(f"write to {name}")(lambda folder=folder: (folder / "result.txt").write_text("x"))
attempt("write beside the code")(lambda: Path("note.txt").write_text("x"))
attempt("write to home")(lambda: (Path.home() / "x").write_text("x"))
attempt("subprocess")(lambda: os.system("true"))

status = dict(
    line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
)
results["facts"] = {
    "uid": os.getuid(),
    "capabilities": status["CapEff"].strip(),
    "permitted": status["CapPrm"].strip(),
    "no new privileges": status["NoNewPrivs"].strip(),
    "filter": status["Seccomp"].strip(),
    "tmp": sorted(os.listdir("/tmp")),
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "descriptors": sorted(os.readlink(f"/proc/self/fd/{name}").split(":")[0] for name in "012"),
    "more descriptors": [name for name in os.listdir("/proc/self/fd") if int(name) > 3],
    "variables": dict(os.environ),
    "dataset options": next(
        line.split()[3] for line in Path("/proc/mounts").read_text().splitlines() if str(dataset) in line
    ),
    "folder": os.getcwd(),
    "session leader": os.getsid(0) == os.getpid(),
    "host": socket.gethostname(),
}
print(json.dumps(results))
