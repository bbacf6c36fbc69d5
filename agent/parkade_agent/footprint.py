"""What the agent does so that it takes little of its vehicle's memory while there is nothing to do."""

import asyncio
import re
import sys
from collections.abc import Iterator
from ctypes import c_size_t, c_void_p
from pathlib import Path
from typing import Final

from parkade_agent.runtime.sandbox.libc import LIBC

_MAPS: Final = Path("/proc/self/smaps")
_NEVER_WRITABLE: Final = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ [1-9].*\n(?:[A-Z].*\n)*?VmFlags:(?!.* ac\b)", re.MULTILINE
)
_DONTNEED: Final = 4  # <sys/mman.h>
_SETTLED_SECONDS: Final = 5.0  # a start with its first session takes one or two
_EACH_SECONDS: Final = 600.0


def leave_out(package: str) -> None:
    """Has imports find no *package*, although it is installed; call it before whatever would take it up.

    None in the cache of modules means that (docs.python.org/3/reference/import.html#the-module-cache).
    """
    sys.modules[package] = None  # type: ignore[assignment]


async def keep_small() -> None:
    """Gives back what the start, and later every session and slot, leaves in memory; returns never."""
    await asyncio.sleep(_SETTLED_SECONDS)
    while True:
        await asyncio.to_thread(give_back_code)
        await asyncio.sleep(_EACH_SECONDS)


def give_back_code() -> None:
    """Unmaps what is mapped of programs and libraries: what is used again is mapped again, from the kernel's cache.

    The kernel maps sixteen pages around each that is used and leaves them there while it has memory to spare; half of
    what libraries have in memory after the start has been of use then for the only time, or never.
    """
    try:
        maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # a kernel can be built without this file; then it decides alone
    for begin, end in unwritten(maps):
        LIBC.madvise(c_void_p(begin), c_size_t(end - begin), _DONTNEED)


def unwritten(maps: str) -> Iterator[tuple[int, int]]:
    """Begin and end of every private mapping of a file in *maps* (proc_pid_smaps(5)) that was never writable.

    The kernel marks one that can be written, or once could, as accountable (`ac`). Relocations are in such: a linker
    wrote them before they were shut, and the file does not have them. No file is inode 0.
    """
    for begin, end in _NEVER_WRITABLE.findall(maps):
        yield int(begin, 16), int(end, 16)
