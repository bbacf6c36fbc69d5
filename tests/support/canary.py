"""A file that nobody may open, and the kernel's word on whether somebody did."""

import ctypes
import os
from pathlib import Path
from typing import Final

_IN_ACCESS: Final = 0x1
_IN_OPEN: Final = 0x20


class Canary:
    """Watches the file at *path* by inotify: by whatever name it is opened, its inode is the same."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(16))
        self.path = path
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if libc.inotify_add_watch(self._descriptor, bytes(path), _IN_OPEN | _IN_ACCESS) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def was_opened(self) -> bool:
        """Whether anybody opened or read the file since the last time this was asked."""
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Watches no more."""
        os.close(self._descriptor)
