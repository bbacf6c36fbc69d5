"""Programs of strangers, each in an environment of its own, because what they need does not fit beside ours."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from parkade_models.cache import cache_folder, file_lock


def environment_of(lock: Path) -> Path:
    """The interpreter of an environment with what *lock* names by hashes; made when the cache has none."""
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache_folder() / "strangers" / f"{lock.stem}-{key}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            _install(lock, folder)
    return folder / "bin" / "python"


def _install(lock: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder), check=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    subprocess.run(
        (*pip, "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", lock), check=True
    )
    (folder / "complete").touch()
