# ruff: noqa: PTH103, PTH123
"""Run one command as the first process of a sandbox, under the supervisor's word.

The talk goes over one socket, a JSON object per line. The supervisor sends the order of work and, once it
has set its limits, ``go``; later perhaps ``terminate``. We answer ``ready``, ``started`` and ``ended``, or
``broken`` with a reason. When the supervisor dies the socket closes, and the job is killed.

Namespaces end with their first process. Without one (``order["end_tree"]``) we adopt whatever the job
leaves behind and kill it before we go.
"""

import fcntl
import json
import os
import resource
import select
import signal
import sys
from typing import Any, NoReturn

from . import kernel, mounts, processes, seccomp

_SIOCSIFFLAGS = 0x8914
_INTERFACE_UP = 1
_NO_FILE_DUMP = 1  # a limit of 0 still lets a core handler behind a pipe run; 1 stops both


class Supervisor:
    """Our end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._received = b""

    def tell(self, **message: object) -> None:
        """Send one message; a dead supervisor is noticed when we next listen."""
        try:
            os.write(self.descriptor, json.dumps(message).encode() + b"\n")
        except OSError:
            return

    @property
    def waiting(self) -> bool:
        """A whole message has been read and not been heard yet."""
        return b"\n" in self._received

    def hear(self) -> dict[str, Any] | None:
        """The next message, waiting for it; None when the supervisor is gone."""
        while not self.waiting:
            try:
                data = os.read(self.descriptor, 1 << 16)
            except InterruptedError:
                continue
            except OSError:
                return None
            if not data:
                return None
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)


def main(descriptor: int) -> NoReturn:
    """Carry out the order that comes over ``descriptor`` and exit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    supervisor = Supervisor(descriptor)
    order = supervisor.hear()
    if order is None:
        os._exit(1)
    try:
        _settle(order)
    except OSError as error:
        supervisor.tell(say="broken", reason=error.strerror or str(error))
        os._exit(1)
    supervisor.tell(say="ready")
    if supervisor.hear() is None:
        os._exit(1)
    wake_up = _watch_children()
    job = _start(order, supervisor)
    if job is not None:
        _attend(job, supervisor, wake_up)
    if order["end_tree"]:
        processes.end_descendants(os.getpid())
    os._exit(0)


def _settle(order: dict[str, Any]) -> None:
    kernel.hide_from_tracers()
    if order["end_tree"]:
        kernel.adopt_orphans()
    if order["build_root"]:
        _name_machine(order["hostname"], loopback=order["loopback"])
        # Of this user namespace, not of the host: a job cannot make namespaces, and so no capabilities.
        with open("/proc/sys/user/max_user_namespaces", "w") as stream:
            stream.write("0")
        mounts.build_root(order["mounts"])
        kernel.drop_capabilities()
    if order["confine"]:
        kernel.no_new_privileges()
    for folder in order["folders"]:
        os.makedirs(folder, exist_ok=True)


def _name_machine(hostname: str, loopback: bool) -> None:
    import socket  # only where there are namespaces to set up: it takes a while to load

    socket.sethostname(hostname)
    if not loopback:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = b"lo".ljust(16, b"\0") + _INTERFACE_UP.to_bytes(2, sys.byteorder) + bytes(22)
        fcntl.ioctl(handle, _SIOCSIFFLAGS, request)


def _watch_children() -> int:
    """A descriptor that becomes readable when a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _start(order: dict[str, Any], supervisor: Supervisor) -> int | None:
    """Fork and exec the job. The pipe closes on exec, or carries the reason why there was none."""
    reading, writing = os.pipe()
    job = os.fork()
    if job == 0:
        _become(order, writing)
    os.close(writing)
    failure = b""
    while data := os.read(reading, 4096):
        failure += data
    os.close(reading)
    if failure:
        supervisor.tell(**json.loads(failure))
        return None
    supervisor.tell(say="started", process=job)
    return job


def _become(order: dict[str, Any], failure: int) -> NoReturn:
    """In the child: take on the limits and turn into the job."""
    step, error_number = "broken", 0
    try:
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGCHLD,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        if order["cpus"]:
            os.sched_setaffinity(0, order["cpus"])
        _prefer_as_victim()
        for name, value in order["resources"].items():
            _lower(getattr(resource, name), value)
        _lower(resource.RLIMIT_CORE, _NO_FILE_DUMP)
        program = seccomp.filter_program(os.uname().machine) if order["confine"] else None
        os.chdir(order["folder"])
        if program is not None:
            kernel.install_filter(program)
        step = "not executed"
        os.execvpe(order["command"][0], order["command"], order["variables"])  # noqa: S606
    except OSError as error:
        error_number, reason = error.errno or 0, error.strerror or str(error)
    except ValueError as error:
        reason = str(error)
    os.write(failure, json.dumps({"say": step, "error": error_number, "reason": reason}).encode())
    os._exit(127)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _prefer_as_victim() -> None:
    """Where memory runs out, the kernel ends the job before us or anything of the host."""
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("800")
    except OSError:
        return


def _attend(job: int, supervisor: Supervisor, wake_up: int) -> None:
    """Bury every child until the job itself has ended; tell how it did."""
    poll = select.poll()
    poll.register(supervisor.descriptor, select.POLLIN)
    poll.register(wake_up, select.POLLIN)
    while True:
        ready = [supervisor.descriptor] if supervisor.waiting else [found for found, _ in poll.poll()]
        if wake_up in ready:
            os.read(wake_up, 4096)
            status = _bury(job)
            if status is not None:
                supervisor.tell(say="ended", status=os.waitstatus_to_exitcode(status))
                return
        if supervisor.descriptor in ready:
            message = supervisor.hear()
            if message is None:
                return
            if message["say"] == "terminate":
                processes.send(job, signal.SIGTERM)


def _bury(job: int) -> int | None:
    """Reap all that has ended; the job's wait status when it was among them."""
    found = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if process == 0:
            return found
        if process == job:
            found = status
