"""What the kernel says of processes: who descends from whom, and how much CPU each has used."""

import resource
from collections.abc import Mapping
from pathlib import Path

PAGE_BYTES = resource.getpagesize()
PROC = Path("/proc")
NANOSECONDS_PER_SECOND = 1_000_000_000
_LAUNCH = "parkade_agent.runtime.launch"


def descendants(pid: int) -> list[int]:
    """The pids of all processes below *pid*, nearest first."""
    return family(pid, parents())[1:]


def parents() -> dict[int, int]:
    """The parent of every process, now."""
    return {child: parent for child in _pids() if (parent := _parent(child)) is not None}


def family(pid: int, known_parents: Mapping[int, int]) -> list[int]:
    """*pid* and all processes below it, nearest first."""
    found = [pid]
    for known in found:
        found.extend(child for child, parent in known_parents.items() if parent == known)
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of *pid*; 0 when it has ended. Pages that processes share count for each of them."""
    words = _read(PROC / str(pid) / "statm").split()
    return int(words[1]) * PAGE_BYTES if words else 0


def command_line(pid: int) -> list[str]:
    """The command of *pid*, or nothing when it has ended."""
    return _read(PROC / str(pid) / "cmdline").split("\0")[:-1]


def slot_program(agent: int, name: str) -> int | None:
    """The process of *agent* that is its slot's `sidecar` or `runner`: not bubblewrap, which stands around it."""
    for candidate in descendants(agent):
        command = command_line(candidate)
        if command[1:3] == ["-m", _LAUNCH] and command[4].endswith(f"/parkade_agent/{name}/__main__.py"):
            return candidate
    return None


def cpu_nanoseconds(pid: int) -> int:
    """CPU time of all threads of *pid*, by the scheduler's own clock; 0 when it has ended."""
    spent = 0
    for task in (PROC / str(pid) / "task").glob("*/schedstat"):
        words = _read(task).split()
        spent += int(words[0]) if words else 0
    return spent


def is_alive(pid: int) -> bool:
    """Whether *pid* exists and is no zombie."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def _pids() -> list[int]:
    return [int(place.name) for place in PROC.iterdir() if place.name.isdigit()]


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; a program's name may hold spaces and brackets."""
    return _read(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
