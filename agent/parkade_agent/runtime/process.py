"""One program of a slot: a process group of its own, signalled without races and reaped through its pidfd."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from parkade_core.vehicle.death import STANDARD_MEMORY_BYTES

_CPUCLOCK_SCHED = 2


def environment(home: Path) -> dict[str, str]:
    """The whole environment of a slot's program: nothing of the agent's own."""
    return {
        # gRPC's own lines would stand in the pod's log.
        "GRPC_VERBOSITY": "ERROR",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The working folder holds bytes from the network: never a place to import from.
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }


class ProcessGroup:
    """A started program that prints to the descriptor *output*.

    It may take *memory_bytes*, and *cpu_seconds* before it lifts that limit; 0 is none. `signal` is safe from any
    thread, and safe after the program's end.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        output: int,
        memory_bytes: int = STANDARD_MEMORY_BYTES,
        cpu_seconds: int = 0,
    ) -> None:
        limits = (os.getpid(), memory_bytes, cpu_seconds)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "parkade_agent.runtime.launch", *map(str, limits), *arguments],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._lock = threading.Lock()
        self._cpu_seconds = 0.0
        self._exit_code: int | None = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to every process of the group, unless its leader was already reaped."""
        with self._lock:
            if self._exit_code is None:
                os.killpg(self.pid, number)

    def cpu_seconds(self) -> float:
        """CPU time that the program has used so far, from the kernel's clock of the process."""
        with self._lock:
            if self._exit_code is None:
                self._cpu_seconds = max(self._cpu_seconds, _process_clock(self.pid))
            return self._cpu_seconds

    async def wait(self) -> int:
        """Waits for the program's end and returns its exit code; 128 + n when signal n ended it."""
        if self._exit_code is not None:
            return self._exit_code
        pidfd = os.pidfd_open(self.pid)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        return self._reap()

    def _reap(self) -> int:
        with self._lock:
            if self._exit_code is None:
                # The leader is a zombie: its group may still hold others, and its number is not yet free.
                os.killpg(self.pid, signal.SIGKILL)
                code = self._process.wait()
                self._exit_code = code if code >= 0 else 128 - code
            return self._exit_code


def _process_clock(pid: int) -> float:
    # The kernel's encoding of "CPU time of process pid" (clock_getcpuclockid(3)), in nanoseconds and one system call.
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0
