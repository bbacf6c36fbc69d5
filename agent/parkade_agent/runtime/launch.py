"""Turns itself into one program of a slot: `launch PARENT MEMORY_BYTES CPU_SECONDS PROGRAM ARGS...`.

The limits are set here, between fork and exec, because the agent has threads and may not run code in its fork.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_ADDRESS_SPACE_BYTES = 8 << 30
_FILE_BYTES = 4 << 30
_OPEN_FILES = 512


def main() -> None:
    """Sets the limits and becomes the program; ends when the agent is already gone."""
    parent, memory_bytes, cpu_seconds = map(int, sys.argv[1:4])
    _die_with(parent)
    _limit(memory_bytes, cpu_seconds)
    _yield_to_others()
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - a program of ours


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    """CPU_SECONDS is 0 for a program without such a limit; one that has it may lift it."""
    limits = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        # The address space holds files and reserves too; what is really taken is the data.
        (resource.RLIMIT_AS, max(_ADDRESS_SPACE_BYTES, 2 * memory_bytes)),
        (resource.RLIMIT_DATA, memory_bytes),
    )
    for limit, value in limits:
        resource.setrlimit(limit, (value, value))
    if cpu_seconds:
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, most))


def _die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the agent is gone")


def _yield_to_others() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    main()
