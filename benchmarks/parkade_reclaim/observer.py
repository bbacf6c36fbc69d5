"""Looks at processes a thousand times a second, from outside: `python -m parkade_reclaim.observer SECONDS PID...`.

Prints a line when it has begun to look, and what it has seen, as JSON, when all are dead or the time is over. It asks
the kernel alone: each process's CPU clock (clock_getcpuclockid(3): all threads, ended ones too), its resident memory,
its pidfd, and the machine's MemAvailable. Nothing of the agent's is imported.
"""

import contextlib
import json
import os
import select
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.001
_CLOCK_OF_A_PROCESS: Final = 2
_FREED_SECONDS: Final = 0.05  # MemAvailable is looked at that long after the end
_KIBIBYTE: Final = 1024


@dataclass
class Seen:
    """Times on the monotonic clock in nanoseconds; memory in bytes."""

    used_at: list[int] = field(default_factory=list)
    """When a process was seen to have used CPU time since the look before."""
    dead_at: int | None = None
    freed_at: int | None = None
    """When none of them held any memory."""
    resident: int = 0
    available_before: int = 0
    available_after: int = 0


def watch(pids: list[int], seconds: float) -> Seen:
    """Looks until all processes are dead and their memory is back, or for that long."""
    seen = Seen(resident=sum(map(_resident, pids)), available_before=_available())
    living = {os.pidfd_open(pid): pid for pid in pids}
    used, last = sum(map(_cpu, pids)), time.monotonic() + seconds
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while time.monotonic() < last and (seen.dead_at is None or seen.freed_at is None):
        time.sleep(LOOK_SECONDS)
        now_used, now = sum(map(_cpu, living.values())), time.monotonic_ns()
        if now_used > used:
            seen.used_at.append(now)
        used = now_used
        if seen.freed_at is None and not any(map(_resident, pids)):
            seen.freed_at = now
        for dead in select.select(list(living), [], [], 0)[0]:
            used -= _cpu(living.pop(dead))
        if not living and seen.dead_at is None:
            seen.dead_at = now
    time.sleep(_FREED_SECONDS)
    seen.available_after = _available()
    return seen


def _cpu(pid: int) -> int:
    with contextlib.suppress(OSError):
        return time.clock_gettime_ns((~pid << 3) | _CLOCK_OF_A_PROCESS)
    return 0


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        return (int(words[1]) - int(words[2])) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _available() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * _KIBIBYTE


if __name__ == "__main__":
    print(json.dumps(asdict(watch([int(pid) for pid in sys.argv[2:]], float(sys.argv[1])))))
