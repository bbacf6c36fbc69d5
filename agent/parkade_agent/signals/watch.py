"""Waits until a file is written: inotify(7), which Python does not wrap.

Looking at the file two hundred times a second instead costs more of a core than the whole idle agent may.
"""

import ctypes
import os
import select
from math import ceil
from pathlib import Path
from typing import Final

_IN_MODIFY: Final = 0x2  # <sys/inotify.h>
_UNWATCHED_SECONDS: Final = 0.02
"""How often a file is looked at that cannot be watched: it does not exist yet, or the user has too many watches."""
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Wakes who waits for *path* when its file is written, from the time it exists. `wake` may come from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        events = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        # Without inotify (a user may have 128 of it) a second eventfd stands in for it, which nobody writes.
        self._events = events if events >= 0 else os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_watched = False
        self._poll = select.poll()
        for descriptor in (self._told, self._events):
            self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float | None) -> None:
        """Returns when the file was written or came to be, when somebody wakes, or after *seconds*."""
        if not self._is_watched and self._begin():
            return
        if not self._is_watched:
            seconds = _UNWATCHED_SECONDS if seconds is None else min(seconds, _UNWATCHED_SECONDS)
        for descriptor, _ in self._poll.poll(None if seconds is None else ceil(seconds * 1000)):
            os.read(descriptor, 4096)

    def wake(self) -> None:
        """Has `wait` return now."""
        os.eventfd_write(self._told, 1)

    def close(self) -> None:
        """Ends the watch."""
        os.close(self._events)
        os.close(self._told)

    def _begin(self) -> bool:
        watch = _libc.inotify_add_watch(self._events, os.fsencode(self._path), _IN_MODIFY)
        self._is_watched = watch >= 0
        return self._is_watched
