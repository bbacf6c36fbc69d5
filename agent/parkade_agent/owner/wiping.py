"""Removes what others have brought into the vehicle, and counts it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wiped:
    """What was removed: files, and their bytes in all."""

    files: int = 0
    size: int = 0

    def __add__(self, other: "Wiped") -> "Wiped":
        return Wiped(self.files + other.files, self.size + other.size)


def wipe(folders: Iterable[Path]) -> Wiped:
    """Removes everything in *folders*, which stay; a missing one is empty. Raises OSError when something is left."""
    wiped = Wiped()
    for folder in folders:
        for entry in list(folder.iterdir()) if folder.is_dir() else ():
            wiped += _removed(entry)
    return wiped


def _removed(entry: Path) -> Wiped:
    """Removes a file, or a folder and all that is in it; what goes by itself meanwhile was not removed by us."""
    try:
        if entry.is_symlink() or not entry.is_dir():
            wiped = Wiped(1, entry.lstat().st_size)
            entry.unlink()
            return wiped
        entry.chmod(0o700)  # a slot's program may have shut it
        wiped = sum((_removed(inner) for inner in list(entry.iterdir())), Wiped())
        entry.rmdir()
    except FileNotFoundError:
        return Wiped()
    return wiped
