"""The filter of system calls, run here by a machine of ours as the kernel runs it, for both kinds of CPU."""

import errno
import struct

import pytest

from parkade_agent.runtime.sandbox.seccomp import filter_for
from parkade_agent.runtime.sandbox.syscalls import ABSENT, NUMBERS, conditions

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
ALLOW, KILL = 0x7FFF0000, 0x80000000
DENIED, MISSING = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
PID = 4711
MACHINES = sorted(NUMBERS)


def judged(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the filter answers to a call."""
    values = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *values)
    code = list(struct.iter_unpack("=HBBI", filter_for(machine, PID)))
    at, loaded = 0, 0
    while True:
        operation, on_true, on_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += on_true if loaded == value else on_false
            case 0x25:
                at += on_true if loaded > value else on_false
            case _:
                return int(value)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_computing_needs_is_allowed(machine: str) -> None:
    """Every call of the list passes, those that are limited with the arguments that are allowed."""
    limited = conditions(PID)
    for name, number in NUMBERS[machine].items():
        if name in limited:
            argument, values = limited[name]
            for value in values:
                assert judged(machine, number, *[0] * argument, value) == ALLOW, name
        else:
            assert judged(machine, number) == (MISSING if name in ABSENT else ALLOW), name


@pytest.mark.parametrize("machine", MACHINES)
def test_everything_else_is_denied(machine: str) -> None:
    """A call that is not in the list fails; one newer than all of them is said to be missing."""
    known = set(NUMBERS[machine].values())
    for number in range(1000):
        if number not in known:
            assert judged(machine, number) == (MISSING if number > max(known) else DENIED)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("socket", (2, 1)),  # IPv4
        ("socket", (16, 3)),  # netlink
        ("socket", (0x1_0000_0002, 1)),  # the kernel looks at the lower half
        ("socketpair", (10, 1)),
        ("clone", (17,)),  # fork
        ("clone", (0x3D0F00 | 0x10000000,)),  # a thread in a name space of users
        ("prctl", (22,)),  # another filter
        ("ioctl", (0, 0x5412)),  # typing into a terminal
        ("ioctl", (0, 0x5452)),  # signals for a file (FIOASYNC)
        ("ioctl", (0, 0x8901)),  # and to whom (FIOSETOWN)
        ("fcntl", (0, 8, PID)),  # the same (F_SETOWN)
        ("fcntl", (0, 10, 18)),  # and which (F_SETSIG): SIGCONT
        ("fcntl", (0, 15)),  # F_SETOWN_EX
        ("fcntl", (0, 1024)),  # a lease
        ("fcntl", (0, 1026)),  # a signal for changes of a folder
        ("tgkill", (1, 1, 9)),
        ("prlimit64", (1,)),
    ],
)
def test_other_arguments_are_denied(machine: str, name: str, arguments: tuple[int, ...]) -> None:
    """The same call with an argument that reaches out is refused."""
    assert judged(machine, NUMBERS[machine][name], *arguments) == DENIED


def test_calls_of_another_architecture_end_the_process() -> None:
    """An x86-64 kernel also takes calls of i386, whose numbers mean something else."""
    assert judged("x86_64", NUMBERS["x86_64"]["read"], arch=I386) == KILL
    assert judged("x86_64", 0x40000000 | NUMBERS["x86_64"]["read"]) == MISSING  # x32


def test_a_machine_of_another_kind_is_told() -> None:
    """Nothing is guessed: the layer is missing, and its name is in the reason."""
    with pytest.raises(OSError, match="the system calls of riscv64 are not known"):
        filter_for("riscv64", PID)
