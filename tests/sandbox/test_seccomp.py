"""The filter as a program, run by a small interpreter; that the kernel obeys it is tested by real jobs."""

import struct

import pytest

from sightline.sandbox.inside.seccomp import filter_program

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel would answer: ALLOW, KILL, or the error number."""
    program = filter_program(machine)
    assert program is not None
    steps = list(struct.iter_unpack("=HBBI", program))
    arch = ARCHITECTURE[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at = value = 0
    while True:
        code, if_true, if_false, constant = steps[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, constant)
            case 0x06:
                return constant if constant in (ALLOW, KILL) else constant & 0xFFFF
            case 0x15:
                at += if_true if value == constant else if_false
            case 0x35:
                at += if_true if value >= constant else if_false
            case 0x45:
                at += if_true if value & constant else if_false


def test_ordinary_calls_pass() -> None:
    for number in (0, 1, 2, 9, 59, 202, 231):
        assert verdict("x86_64", number) == ALLOW
    for number in (63, 64, 98, 221):
        assert verdict("aarch64", number) == ALLOW


def test_denied_calls_and_foreign_architectures() -> None:
    assert verdict("x86_64", 165) == verdict("aarch64", 40) == 1  # mount
    assert verdict("x86_64", 101) == verdict("aarch64", 117) == 1  # ptrace
    assert verdict("x86_64", 0, architecture=0x40000003) == KILL  # i386
    assert verdict("x86_64", 0x40000000 | 1) == 38  # x32


@pytest.mark.parametrize(("machine", "clone", "socket"), [("x86_64", 56, 41), ("aarch64", 220, 198)])
def test_calls_that_depend_on_an_argument(machine: str, clone: int, socket: int) -> None:
    assert verdict(machine, clone, 17) == ALLOW
    assert verdict(machine, clone, 17 | 0x10000000) == 1
    assert verdict(machine, 435) == 38
    assert [verdict(machine, socket, family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
    assert [verdict(machine, socket, family) for family in (17, 38, 40)] == [97] * 3


def test_an_unknown_architecture_has_no_filter() -> None:
    assert filter_program("riscv64") is None
