"""The vehicle's folders."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_SOCKET_FOLDER_BYTES: Final = 100  # a socket's address has 108


def emptied(folder: Path) -> Path:
    """*folder*, empty and for this user alone; what an earlier agent left in it is gone. Raises OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    # Whatever is still there is another user's, as may be in a shared folder: then this raises.
    folder.mkdir(parents=True, mode=0o700)
    return folder.resolve()


def own_folder(folder: Path) -> Path:
    """*folder*, made for this user alone if it is not there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.resolve()


def is_file_name(name: str) -> bool:
    """Whether *name* can only be that of an entry in the folder it is joined to."""
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def socket_folder(state_dir: Path) -> Path:
    """The folder for unix sockets of the vehicle of *state_dir*, short enough for their addresses; nobody has made it.

    It is in *state_dir* when that is short, else in the user's runtime folder or that of temporary files, under
    a name that the next agent of the same vehicle finds again, and its owner's command line.
    """
    name = f"parkade-{hashlib.sha256(bytes(state_dir.resolve())).hexdigest()[:16]}"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    candidates = (state_dir.resolve() / "sockets", runtime / name, Path(tempfile.gettempdir()) / name)
    short = (folder for folder in candidates if len(bytes(folder)) <= _SOCKET_FOLDER_BYTES)
    return next(short, candidates[-1])


class LastFolders:
    """Keeps the last few folders it was given and removes the older ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._folders: dict[Path, None] = {}

    def keep(self, folder: Path) -> None:
        """Takes *folder* as the newest; the oldest goes when there are too many."""
        self.leave(folder)
        self._folders[folder] = None
        while len(self._folders) > self._most:
            oldest = next(iter(self._folders))
            self.leave(oldest)
            shutil.rmtree(oldest, ignore_errors=True)

    def leave(self, folder: Path) -> None:
        """Forgets *folder* and lets it be, because it is in use again."""
        self._folders.pop(folder, None)
