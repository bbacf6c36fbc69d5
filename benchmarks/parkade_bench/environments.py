"""The environment of each peer: `requirements/bench-<name>.txt` locks it by hashes."""

import os
import shutil
import sys
from pathlib import Path

from parkade_bench.errors import UnavailableError
from parkade_hack.environments import InstallError, environment_of
from parkade_hack.paths import ROOT


def python_of(name: str) -> Path:
    """The interpreter of the peer's environment, made when the cache has none. Raises UnavailableError."""
    interpreter = _system_python() if name == "triton" else sys.executable
    try:
        return environment_of(ROOT / "requirements" / f"bench-{name}.txt", interpreter)
    except InstallError as error:
        raise UnavailableError(str(error)) from error


def _system_python() -> str:
    """The system's Python: Triton's Python backend loads the system's libpython, which fits no other library."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path=os.defpath)
    if found is None:
        raise UnavailableError(f"{name} is not installed in {os.defpath}")
    return found
