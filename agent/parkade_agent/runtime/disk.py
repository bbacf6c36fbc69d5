"""What a program of a slot takes of the disk: the files in its folders, and those that it keeps without a name."""

import contextlib
import math
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 512  # of stat(2)
_DELETED: Final = " (deleted)"
_PATH_FIELD: Final = 5  # of a line of proc_pid_maps(5)
_ENDING_SECONDS: Final = 1.0  # for which a process that ends may have lost its first thread only


def taken_bytes(pid: int, folders: Iterable[Path]) -> float:
    """Bytes of the disk that process *pid* takes; it may write *folders*, and has nothing else to write on a disk.

    Infinite where no size can be asked for: a folder that was shut to the agent, a file that was removed and is only
    mapped, one on its way through a socket, or a process whose first thread is gone. No program that computes has any
    of them.
    """
    folders = list(folders)
    if _hides(pid) or _maps_removed(pid, folders) or _passes_files(pid):
        return math.inf
    return sum(map(_bytes_in, folders)) + _removed_bytes(pid)


def _hides(pid: int) -> bool:
    """Whether the process lives on without its first thread: the kernel then lists none of its files (proc_pid_fd(5)).

    Each process that ends looks so for a moment; therefore it is asked twice.
    """
    if not _is_headless(pid):
        return False
    time.sleep(_ENDING_SECONDS)
    return _is_headless(pid)


def _is_headless(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state == b"Z" and len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    return False


def _bytes_in(folder: Path) -> float:
    """What the folder's files take; the sandbox lets nobody make others in it."""
    try:
        with os.scandir(folder) as files:
            return sum(map(_bytes_of, files))
    except PermissionError:
        return math.inf
    except OSError:
        return 0


def _bytes_of(file: os.DirEntry[str]) -> int:
    with contextlib.suppress(FileNotFoundError):  # it went meanwhile; the others are there
        return file.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
    return 0


def _removed_bytes(pid: int) -> int:
    """What files take that the process holds open, and that no folder has any more."""
    held = dict[tuple[int, int], int]()
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                found = file.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    held[found.st_dev, found.st_ino] = found.st_blocks * _BLOCK_BYTES
    return sum(held.values())


def _maps_removed(pid: int, folders: Iterable[Path]) -> bool:
    """Whether the process has a file in its memory that was removed from one of the folders."""
    inside = tuple(f"{folder}/" for folder in folders)
    paths = (line.split(maxsplit=_PATH_FIELD)[-1] for line in _lines(Path(f"/proc/{pid}/maps")))
    return any(path.startswith(inside) and path.endswith(_DELETED) for path in paths)


def _passes_files(pid: int) -> bool:
    """Whether a file waits in a socket of the process to be received (`scm_fds` of its fdinfo, since Linux 5.6)."""
    with contextlib.suppress(OSError):
        described = (line for file in Path(f"/proc/{pid}/fdinfo").iterdir() for line in _lines(file))
        return any(line.startswith("scm_fds:") and line.split()[1] != "0" for line in described)
    return False


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file of the kernel's; none once the process is gone."""
    with contextlib.suppress(OSError):
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
