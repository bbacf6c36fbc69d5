"""Landlock: the program gives up every file and every TCP port but what it is told (landlock(7)).

What the kernel is too old to deny by it (moving between folders, truncating, TCP, signals) other walls deny.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from parkade_agent.runtime.sandbox.libc import LIBC, NO_NEW_PRIVILEGES, checked

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every machine
_VERSION: Final = 1
_BENEATH: Final = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY, _REMOVE_FILE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5
_MAKE_FILE, _MAKE_SOCKET, _TRUNCATE = 1 << 8, 1 << 9, 1 << 14
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access to files each version of the interface knows, where that changed."""

_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_ALL_TWO: Final = 0b11
"""bind and connect of TCP; abstract unix sockets and signals."""

_READ: Final = _EXECUTE | _READ_FILE | _READ_DIRECTORY
_WRITE: Final = _WRITE_FILE | _REMOVE_FILE | _MAKE_FILE | _MAKE_SOCKET | _TRUNCATE
_OF_A_FILE: Final = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`: what is denied unless a rule allows it."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Leaves this process *readable* and *writable* (which it may read, too) and nothing else. Raises OSError."""
    version = checked(LIBC.syscall(_CREATE_RULESET, None, 0, _VERSION), "landlock")
    handled = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= version)) - 1
    rules = _Ruleset(
        files=handled,
        network=_ALL_TWO if version >= _NETWORK_SINCE else 0,
        scopes=_ALL_TWO if version >= _SCOPES_SINCE else 0,
    )
    ruleset = checked(LIBC.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0), "landlock")
    for paths, rights in ((readable, _READ), (writable, _READ | _WRITE)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    checked(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")
    checked(LIBC.syscall(_RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if path.is_dir() else rights & _OF_A_FILE
        rule = _Beneath(allowed=allowed, parent=place)
        checked(LIBC.syscall(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(rule), 0), f"landlock of {path}")
    finally:
        os.close(place)
