"""A filter of system calls, denied by default, put on by the program itself before a stranger's byte is read.

It is classic BPF over `struct seccomp_data` (seccomp(2), Documentation/userspace-api/seccomp_filter.rst). A denied
call fails with EPERM, an unknown one with ENOSYS, so that libraries fall back to what they used before.
"""

import ctypes
import errno
import os
import platform
import struct
from typing import Final

from parkade_agent.runtime.sandbox.libc import LIBC, NO_NEW_PRIVILEGES, checked
from parkade_agent.runtime.sandbox.syscalls import ABSENT, NUMBERS, conditions

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _RETURN, _JUMP_EQUAL, _JUMP_GREATER = 0x20, 0x06, 0x15, 0x25
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_ERROR: Final = 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT, _ARGUMENT_BYTES = 0, 4, 16, 8


class _FilterProgram(ctypes.Structure):
    """`struct sock_fprog` of the kernel's."""

    _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def filter_for(machine: str, pid: int) -> bytes:
    """The filter for process *pid* on such a machine. Raises OSError where the numbers of calls are not known."""
    if machine not in NUMBERS:
        raise OSError(errno.ENOTSUP, f"the system calls of {machine} are not known")
    numbers, limited = NUMBERS[machine], conditions(pid)
    code = [_instruction(_LOAD, _ARCH_AT), *_unless_equal(_AUDIT_ARCH[machine], _KILL_PROCESS)]
    code += [_instruction(_LOAD, _NUMBER_AT)]
    code += [_instruction(_JUMP_GREATER, max(numbers.values()), on_false=1), _answer(_ERROR | errno.ENOSYS)]
    for name in ABSENT:
        code += _if_equal(numbers[name], _ERROR | errno.ENOSYS)
    for name, (argument, values) in limited.items():
        code += _if_one_of(numbers[name], argument, values)
    for name, number in numbers.items():
        if name not in limited and name not in ABSENT:
            code += _if_equal(number, _ALLOW)
    return b"".join([*code, _answer(_ERROR | errno.EPERM)])


def restrict() -> None:
    """Puts the filter on this process for ever. Raises OSError. There must be no other thread yet."""
    code = filter_for(platform.machine(), os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _FilterProgram(len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
    checked(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    checked(LIBC.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp")


_INSTRUCTION: Final = struct.Struct("=HBBI")


def _instruction(code: int, value: int, on_true: int = 0, on_false: int = 0) -> bytes:
    """One `struct sock_filter`; a jump skips that many instructions."""
    return _INSTRUCTION.pack(code, on_true, on_false, value)


def _answer(value: int) -> bytes:
    return _instruction(_RETURN, value)


def _if_equal(value: int, answer: int) -> list[bytes]:
    return [_instruction(_JUMP_EQUAL, value, on_false=1), _answer(answer)]


def _unless_equal(value: int, answer: int) -> list[bytes]:
    return [_instruction(_JUMP_EQUAL, value, on_true=1), _answer(answer)]


def _if_one_of(number: int, argument: int, values: tuple[int, ...]) -> list[bytes]:
    """Allows the call when the lower half of the argument, all that the kernel looks at, is one of *values*."""
    block = [_instruction(_LOAD, _ARGUMENTS_AT + argument * _ARGUMENT_BYTES)]
    for value in values:
        block += _if_equal(value, _ALLOW)
    block += [_answer(_ERROR | errno.EPERM)]
    return [_instruction(_JUMP_EQUAL, number, on_false=len(block)), *block]
