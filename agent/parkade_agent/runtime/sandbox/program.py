"""What a program of a slot is started with: its script, and the little of the vehicle that it may see."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES

_PACKAGES: Final = ("parkade_agent", "parkade_api", "parkade_core", "parkade_models")
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_CPU: Final = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Program:
    """A Python script and its arguments. It works and is at home in *folder*, which it may read.

    It may take *memory_bytes*, and *cpu_seconds* before it lifts that limit; 0 is none. Paths are absolute and the
    same inside and outside; what is not there is left out. *secrets* are variables of its environment, which no
    other program of the slot can read, as it could the arguments.
    """

    script: Path
    arguments: tuple[str, ...]
    folder: Path
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    memory_bytes: int = STANDARD_MEMORY_BYTES
    cpu_seconds: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Its whole environment: nothing of the agent's own."""
        return {
            # gRPC's own lines would stand in the pod's log.
            "GRPC_VERBOSITY": "ERROR",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            # The working folder holds bytes from the network: never a place to import from.
            "PYTHONSAFEPATH": "1",
            "PYTHONUNBUFFERED": "1",
            **self.secrets,
        }


def script_of(module: str) -> Path:
    """The file that `python -m module` runs. Raises ModuleNotFoundError. The module itself is not imported."""
    if (spec := find_spec(module)) is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no module {module}", name=module)
    origin = Path(spec.origin)
    return origin if spec.submodule_search_locations is None else origin.with_name("__main__.py")


@cache
def interpreter_files() -> tuple[Path, ...]:
    """What every program reads: the interpreter, the installed packages, ours, and what the CPU is."""
    base = Path(sys.base_prefix)
    installed = [Path(sys.prefix), *([] if base == Path("/usr") else [base])]
    ours = [script_of(package).parent for package in _PACKAGES]
    links = (link for link in _links(Path(sys.executable)) if not any(map(link.is_relative_to, installed)))
    return (*map(Path, _LIBRARIES), *installed, *links, *ours, _CPU)


def _links(path: Path) -> list[Path]:
    """The path, and each that it leads to by symbolic links."""
    links = [path]
    while links[-1].is_symlink():
        links.append(links[-1].parent / links[-1].readlink())
    return links
