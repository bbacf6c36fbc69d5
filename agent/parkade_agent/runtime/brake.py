"""All processes of the vehicle's slot, stopped and resumed together.

Guard and governor both hold and release them; they run only while neither holds, so the governor can never thaw
what the guard froze.

The control group stops what runs in it as one; the signals stop a program that has not joined it yet, and all of them
where the machine has no such group.
"""

import contextlib
import signal
import threading
from pathlib import Path
from typing import Final

from parkade_agent.guard import Holder
from parkade_agent.runtime.cgroups import Cgroup
from parkade_agent.runtime.process import RunningProgram

_SECOND: Final = 1_000_000_000


class SlotBrake:
    """The slot's programs, in *cgroup* where there is one; every method is safe from any thread and none waits."""

    def __init__(self, cgroup: Cgroup | None = None) -> None:
        self.cgroup = cgroup
        self._lock = threading.Lock()
        self._programs: list[RunningProgram] = []
        self._holders: set[Holder] = set()
        self._past_cpu_seconds = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether there is no program to stop."""
        return not self._programs

    def join_files(self) -> list[Path]:
        """The files by which a program joins the control group; none where there is none."""
        return self.cgroup.join_files() if self.cgroup is not None else []

    def add(self, program: RunningProgram) -> None:
        """Takes a started program under control; while anybody holds, it does nothing."""
        with self._lock:
            self._programs.append(program)
            if self._holders:
                program.signal(signal.SIGSTOP)

    def remove(self, program: RunningProgram) -> None:
        """Forgets a program that has ended."""
        with self._lock:
            self._programs.remove(program)
            self._past_cpu_seconds += program.cpu_seconds()

    def hold(self, holder: Holder) -> None:
        """Stops every process until *holder* releases them."""
        with self._lock:
            if not self._holders:
                if self.cgroup is not None:
                    self.cgroup.freeze()
                self._signal(signal.SIGSTOP)
            self._holders.add(holder)
        self._say_refusals()

    def release(self, holder: Holder) -> None:
        """Lets the processes run on, if no one else holds them."""
        with self._lock:
            if self._holders == {holder}:
                self._signal(signal.SIGCONT)
                if self.cgroup is not None:
                    self.cgroup.thaw()
            self._holders.discard(holder)
        self._say_refusals()

    def is_held(self, holder: Holder) -> bool:
        """Whether *holder* keeps the processes from running."""
        with self._lock:
            return holder in self._holders

    def kill(self) -> None:
        """Ends every process at once; their watchers reap them. One that cannot be ended does not spare the others."""
        with self._lock, contextlib.ExitStack() as each:
            for program in self._programs:
                each.callback(program.signal, signal.SIGKILL)
            if self.cgroup is not None:
                each.callback(self.cgroup.kill)
        self._say_refusals()

    def unkillable(self) -> str:
        """Which programs were killed and do not end, this agent's or an earlier one's; empty when all do."""
        with self._lock:
            held = [program.pid for program in self._programs if program.is_unkillable]
        held += self.cgroup.left() if self.cgroup is not None else []
        return f"the kernel holds what was killed: process {', '.join(map(str, held))}" if held else ""

    def cpu_seconds(self) -> float:
        """CPU time of all the slot's programs so far, ended ones included, by the kernel's clocks."""
        if self.cgroup is not None and self.cgroup.counts_cpu:
            return self.cgroup.cpu_nanoseconds() / _SECOND
        with self._lock:
            return self._past_cpu_seconds + sum(program.cpu_seconds() for program in self._programs)

    def _say_refusals(self) -> None:
        """What the kernel refused is logged last, and outside the lock: a log that blocks must keep nothing running."""
        if self.cgroup is not None:
            self.cgroup.say_refusals()

    def _signal(self, number: signal.Signals) -> None:
        for program in self._programs:
            program.signal(number)
