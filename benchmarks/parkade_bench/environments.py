"""A virtual environment of its own for each peer: what peers need does not fit beside what Parkade needs.

`requirements/bench-<name>.txt` locks it by hashes. It is installed once and kept in the cache folder under its
lock's digest.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from parkade_bench.errors import UnavailableError
from parkade_hack.paths import ROOT
from parkade_models.cache import cache_folder, file_lock

_KEPT_CHARACTERS: Final = 400


def python_of(name: str) -> Path:
    """The interpreter of the peer's environment, made when the cache has none. Raises UnavailableError."""
    lock = ROOT / "requirements" / f"bench-{name}.txt"
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / "bench" / f"{name}-{key}"
    with file_lock(folder.with_suffix(".lock")):
        if not (folder / "installed").exists():
            _install(lock, folder, _system_python() if name == "triton" else sys.executable)
    return folder / "bin" / "python"


def _install(lock: Path, folder: Path, interpreter: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    sys.stderr.write(f"installing {lock.name}, once\n")
    _do(interpreter, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python")
    _do(*pip, "install", "--quiet", "--require-hashes", "-r", lock)
    (folder / "installed").touch()


def _system_python() -> str:
    """Triton's stub loads the system's libpython, which fits no other standard library than the system's."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path=os.defpath)
    if found is None:
        raise UnavailableError(f"{name} is not installed in {os.defpath}")
    return found


def _do(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip()[-_KEPT_CHARACTERS:]
        raise UnavailableError(f"{Path(command[0]).name} ended with exit code {done.returncode}: {words}")
