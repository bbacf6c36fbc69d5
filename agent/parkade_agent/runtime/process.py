"""One program of a slot, in the sandbox: signalled without races, measured, and reaped through its pidfd."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from signal import Signals

from parkade_agent.runtime.cgroups import UNKILLABLE_SECONDS
from parkade_agent.runtime.sandbox.program import Program
from parkade_agent.runtime.sandbox.walls import Sandbox

_CPUCLOCK_SCHED = 2


class RunningProgram:
    """A started program that prints to the descriptor *output*, in the control groups of the files *join*.

    bubblewrap may stand around it: two more processes, which hold its name spaces and end with its exit code. They
    and the program are one process group; once the program has told which process it is, signals are for it alone,
    so that it is reaped inside. What starts it is never stopped: it may not have arranged yet to die with the agent.
    The program waits instead, before it does anything (`launch.py`).
    Every method is safe from any thread; `signal` also after the program's end.
    """

    def __init__(self, program: Program, sandbox: Sandbox, output: int, join: Iterable[Path] = ()) -> None:
        self._lifeline, told = socket.socketpair()
        self._lifeline.setblocking(False)
        with told:
            self._process = sandbox.start(program, output, told, join)
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._number: int | None = None
        self._cpu_seconds = 0.0
        self._exit_code: int | None = None
        self._killed_at: float | None = None

    @property
    def pid(self) -> int:
        """The program's number; until it runs, that of what starts it."""
        with self._lock:
            self._look()
            return self._number or self._process.pid

    @property
    def is_unkillable(self) -> bool:
        """Whether it was killed and the kernel does not let it end."""
        with self._lock:
            if self._killed_at is None or self._exit_code is not None:
                return False
            has_ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return has_ended is None and time.monotonic() - self._killed_at >= UNKILLABLE_SECONDS

    def signal(self, number: Signals) -> None:
        """Sends a signal to the program, or to all that starts it, unless it was already reaped."""
        with self._lock:
            if number is signal.SIGKILL and self._killed_at is None:
                self._killed_at = time.monotonic()
            if self._exit_code is None:
                self._signal(number)

    def cpu_seconds(self) -> float:
        """CPU time that the program has used so far, from the kernel's clock of the process."""
        with self._lock:
            if self._exit_code is None:
                self._look()
                clock = _process_clock(self._number or self._process.pid)
                self._cpu_seconds = max(self._cpu_seconds, clock)
            return self._cpu_seconds

    async def wait(self) -> int:
        """Waits for the program's end and returns its exit code; 128 + n when signal n ended it."""
        if self._exit_code is not None:
            return self._exit_code
        pidfd = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        return self._reap()

    def _look(self) -> None:
        """Takes the program's handle on itself, once it is there, and its number, unless it has ended."""
        if self._handle is None and self._lifeline.fileno() >= 0:
            with contextlib.suppress(OSError):
                _, handles, _, _ = socket.recv_fds(self._lifeline, 1, 1)
                self._handle = handles[0] if handles else None
        if self._handle is not None and self._number is None:
            self._number = _number_of(self._handle)

    def _signal(self, number: Signals) -> None:
        is_hold = number in {signal.SIGSTOP, signal.SIGCONT}
        if is_hold:
            with contextlib.suppress(OSError):  # the program listens no more
                self._lifeline.send(bytes([number]))
        # After that: what has not told yet hears it, and what has told is signalled.
        self._look()
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)
        elif not is_hold:
            os.killpg(self._process.pid, number)

    def _reap(self) -> int:
        with self._lock:
            if self._exit_code is None:
                # The leader is a zombie: its group may still hold others, and its number is not yet free.
                os.killpg(self._process.pid, signal.SIGKILL)
                _, status, usage = os.wait4(self._process.pid, 0)
                self._process.returncode = code = os.waitstatus_to_exitcode(status)
                self._exit_code = code if code >= 0 else 128 - code
                self._cpu_seconds = max(self._cpu_seconds, usage.ru_utime + usage.ru_stime)
                self._lifeline.close()
                if self._handle is not None:
                    os.close(self._handle)
            return self._exit_code


def _number_of(handle: int) -> int | None:
    """The process of a pidfd as this process numbers it (pidfd_open(2), fdinfo); None when it has none or no more.

    The kernel then says -1, or 0 to another name space: as a number of a clock, each would mean the caller.
    """
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/self/fdinfo/{handle}").read_text(encoding="ascii").splitlines()
        number = next((int(line.split()[1]) for line in lines if line.startswith("Pid:")), 0)
        return number if number > 0 else None
    return None


def _process_clock(pid: int) -> float:
    # The kernel's encoding of "CPU time of process pid" (clock_getcpuclockid(3)), in nanoseconds and one system call.
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0
