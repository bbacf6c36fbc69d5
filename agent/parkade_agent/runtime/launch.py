"""Turns itself into one program of a slot: `launch START SCRIPT ARGS...`; START is what `sandbox/walls.py` writes.

It is the first code behind bubblewrap's walls. Limits, Landlock and the filter of system calls are put on here, and
then the script runs in this same interpreter: so not even the start of another program need be allowed.
"""

import json
import os
import resource
import runpy
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from parkade_agent.runtime.sandbox import landlock, seccomp
from parkade_agent.runtime.sandbox.libc import LIBC, drop_capabilities

_PR_SET_PDEATHSIG: Final = 1
_ADDRESS_SPACE_BYTES: Final = 8 << 30
_FILE_BYTES: Final = 4 << 30
_OPEN_FILES: Final = 512
_MOST_BYTES: Final = 4096  # more than the kernel keeps for a socket, at one a message


def main() -> None:
    """Sets the limits, closes the walls and becomes the program; ends when the agent is already gone."""
    start, sys.argv = json.loads(sys.argv[1]), sys.argv[2:]
    if start["lifeline"] >= 0:
        _report(start["lifeline"])
    _join(start["joined"])  # which may be frozen: only what dies with its agent may stand there
    if start["lifeline"] >= 0:
        _yield_to_others()
    _limit(start["memory_bytes"], start["cpu_seconds"])
    if start["threads"]:
        resource.setrlimit(resource.RLIMIT_NPROC, (start["threads"], start["threads"]))
    drop_capabilities()
    if start["landlock"]:
        landlock.restrict(map(Path, start["readable"]), map(Path, start["writable"]))
    if start["seccomp"]:
        seccomp.restrict()
    runpy.run_path(sys.argv[0], run_name="__main__")


def _report(lifeline: int) -> None:
    """Gives the agent a handle on this very process, wherever its number means anything; ends where that fails.

    The death signal comes first: an agent that has died before it can no longer be told. Returns when the agent lets
    the program run.
    """
    LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        with socket.socket(fileno=lifeline) as agent:
            handle = os.pidfd_open(os.getpid())
            socket.send_fds(agent, [b"\0"], [handle])
            os.close(handle)
            _wait(agent)
    except OSError as error:
        sys.exit(f"the agent gets no handle on this process, or is gone: {error}")


def _wait(agent: socket.socket) -> None:
    """Waits while the last that the agent has sent is the number of SIGSTOP. Raises OSError when the agent is gone."""
    try:
        told = agent.recv(_MOST_BYTES, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    while told[-1:] == bytes([signal.SIGSTOP]):
        told = agent.recv(_MOST_BYTES)
    if not told:
        raise ConnectionResetError("it has closed its end")


def _join(files: Iterable[int]) -> None:
    for file in files:
        os.write(file, b"0")  # whoever writes it
        os.close(file)


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


def _yield_to_others() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    main()
