"""Wall time and CPU time of programs, and how those that wait their turn are frozen."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from parkade_hack.proc import family, parents

_CLOCK_OF_A_PROCESS = (
    2  # CPUCLOCK_SCHED of linux/posix-timers.h: user and system time, ended threads included
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one pass over the items took."""

    items: int
    seconds: float
    cpu_seconds: float
    """Of every process that took part, the feeder included."""

    def __add__(self, other: "Measurement") -> "Measurement":
        """Both passes as one."""
        return Measurement(
            self.items + other.items,
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
        )

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        """CPU milliseconds an item."""
        return 1000 * self.cpu_seconds / self.items


def cpu_seconds(roots: Sequence[int]) -> float:
    """CPU time that the processes *roots*, and those below them that live, have used so far."""
    known = parents()
    pids = {pid for root in roots for pid in family(root, known)}
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | _CLOCK_OF_A_PROCESS)
    except OSError:  # it has ended
        return 0.0


@contextmanager
def thawed(root: int | None) -> Iterator[None]:
    """Lets a frozen program and all below it run inside the block; it uses no CPU outside."""
    signal_all(root, signal.SIGCONT)
    try:
        yield
    finally:
        signal_all(root, signal.SIGSTOP)


def signal_all(root: int | None, number: signal.Signals) -> None:
    """Sends a signal to *root* and every process below it."""
    for pid in family(root, parents()) if root is not None else ():
        with suppress(ProcessLookupError):
            os.kill(pid, number)
