"""What the agent does so that it takes little of its vehicle's memory while there is nothing to do."""

import re
import sys
from ctypes import c_size_t, c_void_p
from pathlib import Path
from typing import Final

from parkade_agent.runtime.sandbox.libc import LIBC

_MAPS: Final = Path("/proc/self/smaps")
_UNWRITTEN: Final = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ [1-9].*\n(?:[A-Z].*\n)*?Anonymous: +0 kB$", re.MULTILINE
)
"""Begin and end of a file's pages that cannot be written and never were (proc_pid_smaps(5)); no file is inode 0."""
_DONTNEED: Final = 4  # <sys/mman.h>


def leave_out(package: str) -> None:
    """Has imports find no *package*, although it is installed; call it before whatever would take it up.

    None in the cache of modules means that (docs.python.org/3/reference/import.html#the-module-cache).
    """
    sys.modules[package] = None  # type: ignore[assignment]


def give_back_code() -> None:
    """Unmaps what is mapped of programs and libraries: what is used again is mapped again, from the kernel's cache.

    The kernel maps sixteen pages around each that is used and leaves them there while it has memory to spare; half of
    what libraries have in memory after the start has been of use then for the only time, or never.
    """
    try:
        maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # a kernel can be built without this file; then it decides alone
    for begin, end in _UNWRITTEN.findall(maps):
        start = int(begin, 16)
        LIBC.madvise(c_void_p(start), c_size_t(int(end, 16) - start), _DONTNEED)
