"""The slot's folder: the only place where the sidecar reads shards and writes results.

A name is one path component, opened relative to the folder and never through a symlink, so no request
reaches another file. Names that begin with a dot are the sidecar's own.
"""

import errno
import os
import stat
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

from parkade_agent.sidecar.errors import FileRefusedError, NoSpaceError, ResultRefusedError

# Without O_NONBLOCK a named pipe would hold the caller for ever.
_SAFE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OF_THE_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


class SlotFolder:
    """An open folder. Raises OSError when it does not exist."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def read(self, name: str) -> bytes:
        """The whole file. Raises FileRefusedError."""
        _check(name)
        with self._open(name, os.O_RDONLY, "rb") as file:
            return file.readall()

    def has(self, name: str) -> bool:
        """Whether there is anything of that name."""
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Puts *content* under *name* in one step; a reader sees nothing or all of it.

        Raises FileRefusedError for a name that no file of the folder may have, NoSpaceError when the disk takes no
        more, ResultRefusedError when it cannot for another reason.
        """
        _check(name)
        unfinished = f".{name}.unfinished"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(unfinished, flags, 0o600, dir_fd=self._fd), "wb") as file:
                file.write(content)
            os.rename(unfinished, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError as error:
            with suppress(OSError):  # it may be what could not be made
                self.remove_own(unfinished)
            refused = NoSpaceError if error.errno in _OF_THE_DISK else ResultRefusedError
            raise refused(f"{name} cannot be written: {error.strerror}") from None

    def open_own(self, name: str) -> FileIO:
        """One of the sidecar's own files, to read and to append to; made when it is not there.

        Raises FileRefusedError.
        """
        return self._open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT, "rb+")

    def remove_own(self, name: str) -> None:
        """Removes one of the sidecar's own files. Raises OSError."""
        os.unlink(name, dir_fd=self._fd)

    def close(self) -> None:
        """Gives the folder back."""
        os.close(self._fd)

    def _open(self, name: str, flags: int, mode: str) -> FileIO:
        try:
            fd = os.open(name, flags | _SAFE, 0o600, dir_fd=self._fd)
        except OSError as error:
            raise FileRefusedError(
                f"{name} cannot be opened in the slot's folder: {error.strerror}"
            ) from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileRefusedError(f"{name} is not a plain file")
        return FileIO(fd, mode)


def _check(name: str) -> None:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise FileRefusedError(f"{name!r} is not the name of a file in the slot's folder")
