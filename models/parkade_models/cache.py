"""Where built models are kept between runs, and the lock that keeps two builders apart."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """The folder for everything that can be built again: PARKADE_CACHE, or `parkade` in the user's cache."""
    chosen = os.environ.get("PARKADE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parkade"


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on *path*, waiting for whoever has it; the kernel frees it if we die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
