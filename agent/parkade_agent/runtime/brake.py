"""All processes of the vehicle's slot, stopped and resumed together.

Guard and governor both hold and release them; they run only while neither holds, so the governor can never thaw
what the guard froze.
"""

import signal
import threading

from parkade_agent.guard import Holder
from parkade_agent.runtime.process import ProcessGroup


class SlotBrake:
    """The process groups of the slot; every method is safe from any thread and waits for nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: list[ProcessGroup] = []
        self._holders: set[Holder] = set()
        self._past_cpu_seconds = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether there is no program to stop."""
        return not self._groups

    def add(self, group: ProcessGroup) -> None:
        """Takes a started program under control; it is stopped at once while anybody holds."""
        with self._lock:
            self._groups.append(group)
            if self._holders:
                group.signal(signal.SIGSTOP)

    def remove(self, group: ProcessGroup) -> None:
        """Forgets a program that has ended."""
        with self._lock:
            self._groups.remove(group)
            self._past_cpu_seconds += group.cpu_seconds()

    def hold(self, holder: Holder) -> None:
        """Stops every process until *holder* releases them."""
        with self._lock:
            if not self._holders:
                self._signal(signal.SIGSTOP)
            self._holders.add(holder)

    def release(self, holder: Holder) -> None:
        """Lets the processes run on, if no one else holds them."""
        with self._lock:
            if self._holders == {holder}:
                self._signal(signal.SIGCONT)
            self._holders.discard(holder)

    def is_held(self, holder: Holder) -> bool:
        """Whether *holder* keeps the processes from running."""
        with self._lock:
            return holder in self._holders

    def kill(self) -> None:
        """Ends every process at once; their watchers reap them."""
        with self._lock:
            self._signal(signal.SIGKILL)

    def cpu_seconds(self) -> float:
        """CPU time of all the slot's programs so far, ended ones included."""
        with self._lock:
            return self._past_cpu_seconds + sum(group.cpu_seconds() for group in self._groups)

    def _signal(self, number: signal.Signals) -> None:
        for group in self._groups:
            group.signal(number)
