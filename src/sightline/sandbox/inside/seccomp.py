"""The system calls that no training job needs and that widen the way to the kernel or the host.

A denied call fails with EPERM (as in a container), so that programs that merely try go on. Sockets are
allowed in the families that a network namespace confines: AF_VSOCK, for one, would reach the hypervisor
from any namespace.
"""

import struct

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data (little endian)

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

# name: (x86_64, aarch64)
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_IOCTL = (16, 29)

_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_TERMINAL_TRICKS = (0x5412, 0x541C)  # TIOCSTI types into a terminal, TIOCLINUX pastes


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _fail(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)


def _when_called(number: int, steps: bytes) -> bytes:
    """Run ``steps`` for one system call; they load an argument, so they must end in a return."""
    return _step(_JUMP_EQUAL, number, 0, len(steps) // 8) + steps


def filter_program(machine: str) -> bytes | None:
    """The filter for an architecture as ``os.uname().machine`` names it; None where we know no numbers."""
    if machine not in _ARCHITECTURES:
        return None
    column = list(_ARCHITECTURES).index(machine)
    allow = _step(_RETURN, _ALLOW)
    program = _step(_LOAD, _ARCHITECTURE)
    program += _step(_JUMP_EQUAL, _ARCHITECTURES[machine], 1, 0) + _step(_RETURN, _KILL)
    program += _step(_LOAD, _NUMBER)
    if machine == "x86_64":
        program += _step(_JUMP_AT_LEAST, _X32, 0, 1) + _fail(_ENOSYS)
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            program += _when_called(number, _fail(_EPERM))
    # The flags of clone3 lie in memory, out of a filter's sight; without it the C library uses clone.
    program += _when_called(_CLONE3[column], _fail(_ENOSYS))
    program += _when_called(
        _CLONE[column],
        _step(_LOAD, _FIRST) + _step(_JUMP_ANY_BIT, _NEW_NAMESPACES, 0, 1) + _fail(_EPERM) + allow,
    )
    for call in (_SOCKET, _SOCKETPAIR):
        families = b"".join(_step(_JUMP_EQUAL, family, 0, 1) + allow for family in _FAMILIES)
        program += _when_called(call[column], _step(_LOAD, _FIRST) + families + _fail(_EAFNOSUPPORT))
    tricks = b"".join(_step(_JUMP_EQUAL, request, 0, 1) + _fail(_EPERM) for request in _TERMINAL_TRICKS)
    program += _when_called(_IOCTL[column], _step(_LOAD, _SECOND) + tricks + allow)
    return program + allow
