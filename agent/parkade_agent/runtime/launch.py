"""Turns itself into one program of a slot, limited and bound to the agent's life: `launch PARENT PROGRAM ARGS...`.

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
_OPEN_FILES = 512
_LIMITS = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NOFILE, _OPEN_FILES),
    (resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES),
)


def main() -> None:
    """Sets the limits and becomes the program; ends when the agent is already gone."""
    _die_with(int(sys.argv[1]))
    for limit, value in _LIMITS:
        resource.setrlimit(limit, (value, value))
    _yield_to_others()
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a program of ours


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
