"""Virtual environments of their own for programs of strangers, because what they need does not fit beside ours.

A lock file with hashes names all that is in one. It is made once and kept in the cache folder under the lock's digest.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from parkade_models.cache import cache_folder, file_lock

_KEPT_CHARACTERS: Final = 400


class InstallError(Exception):
    """An environment cannot be made here; the sentence has the last words of what failed."""


def environment_of(lock: Path, interpreter: str = sys.executable) -> Path:
    """The Python of an environment of *interpreter* with what *lock* names. Raises InstallError."""
    key = hashlib.sha256(lock.read_bytes() + f"{interpreter} {sys.version}".encode()).hexdigest()[:16]
    folder = cache_folder() / "strangers" / f"{lock.stem}-{key}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            _install(lock, folder, interpreter)
    return folder / "bin" / "python"


def _install(lock: Path, folder: Path, interpreter: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write(f"installing {lock.name}, once\n")
    _do(interpreter, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python")
    _do(*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", lock)
    (folder / "complete").touch()


def _do(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip()[-_KEPT_CHARACTERS:]
        raise InstallError(f"{Path(command[0]).name} ended with exit code {done.returncode}: {words}")
