"""Files that a power cut leaves as they were or as they shall be, never in between."""

import os
from pathlib import Path
from typing import Final

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


def write(path: Path, data: bytes) -> None:
    """Makes *path* hold *data*, for this user alone and for good when it returns. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename(part, path)


def overwrite(path: Path, data: bytes) -> None:
    """Makes *path*, which is there, hold *data* in the room that it has, on a full disk, too. Raises OSError.

    A power cut may leave half of it.
    """
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def rename(new: Path, old: Path) -> None:
    """Puts *new* into the place of *old*, for good when it returns. Raises OSError."""
    new.replace(old)
    sync_folder(old.parent)


def remove(path: Path) -> None:
    """Removes a file that may be there, for good when it returns. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the entries of *folder* durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
