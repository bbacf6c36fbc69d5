"""The C library's doors to system calls that Python has no names for."""

import ctypes
import os
from typing import Final

LIBC: Final = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES: Final = 38
"""PR_SET_NO_NEW_PRIVS of prctl(2)."""

_CAPABILITY_VERSION_3: Final = 0x20080522


def checked(result: int, what: str) -> int:
    """The result of a call. Raises OSError when it is -1; *what* says what was called."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def drop_capabilities() -> None:
    """Gives up every capability (capset(2)): also root's programs may then do what any user may. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    checked(LIBC.capset(header, none), "capset")
