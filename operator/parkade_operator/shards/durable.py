"""Creating files that survive a power cut, and folders for them, never following a symbolic link.

A file is written without a name, synced, and then linked: it is whole and durable before anybody can see it,
a crash leaves no rubbish, and of several creators exactly one wins. Platform store and output files both come
to be here.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from parkade_operator.shards.errors import StoreBroken

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def create(folder: int, name: str, parts: Iterable[bytes]) -> None:
    """Create *name* in the open folder *folder* with these bytes. Raises FileExistsError.

    Whatever it raises, and whatever *parts* raises, but for StoreBroken: nothing was created.
    """
    file = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        for part in parts:
            _write(file, part)
        os.fdatasync(file)
        _link(file, folder, name)
    finally:
        os.close(file)


def open_folder(root: int, parts: Sequence[str], *, make_from: int | None = None) -> int:
    """Open the folder at *parts* below the open folder *root*; the caller closes it.

    Folders from number *make_from* on are made when missing, durably. Raises OSError: ELOOP or ENOTDIR when a
    part is a symbolic link or no folder.
    """
    folder = os.dup(root)
    for number, part in enumerate(parts):
        try:
            if make_from is not None and number >= make_from:
                _make_folder(folder, part)
            inner = os.open(part, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def open_root(path: str) -> int:
    """Open the folder that everything lies under; an administrator named it, so links in its path are fine."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _write(file: int, part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(file, view) :]


def _link(file: int, folder: int, name: str) -> None:
    try:
        # os.link follows /proc/self/fd only when src_dir_fd is given, though the path is absolute.
        os.link(f"/proc/self/fd/{file}", name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        # The loser syncs too: what it reads next must be durable before it acts on it.
        _sync(folder)


def _make_folder(folder: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=folder)
    # Also when it was there: whoever made it may have died before the sync.
    _sync(folder)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # After a failed sync the kernel may report the next one as good though data was lost: never retry it.
        raise StoreBroken(f"syncing a folder failed: {error}") from error
