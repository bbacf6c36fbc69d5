"""Holds the slot's programs together to the lent share of CPU, by pausing and resuming them.

A bucket fills with `share` CPU seconds a second and is drained by what the kernel's clocks say was used; empty means
pause, half full means run. It needs no privilege, works on every kernel and leaves nothing behind.
"""

import os
import threading
import time
from typing import Final

from parkade_agent.guard import Holder, give_up
from parkade_agent.runtime.brake import SlotBrake

PERIOD_SECONDS = 0.1
TICK_SECONDS = 0.01
IDLE_SECONDS = 0.5
_CORES: Final = os.cpu_count() or 1


class Governor:
    """Keeps the sum of the slot's CPU time at *share* cores on average."""

    def __init__(self, brake: SlotBrake, share: float) -> None:
        self._brake = brake
        self._share = share
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="governor", daemon=True)

    def start(self) -> None:
        """Begins to measure and pause."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and lets go of the programs."""
        self._stopped.set()
        self._thread.join()
        self._brake.release(Holder.GOVERNOR)

    def _run(self) -> None:
        try:
            self._govern()
        except Exception:  # noqa: BLE001 - whatever it is: nothing may take more than is lent
            give_up(self._brake, "the governor failed")

    def _govern(self) -> None:
        depth = self._share * PERIOD_SECONDS
        credit, paused = depth, False
        at, used = time.monotonic(), self._brake.cpu_seconds()
        while not self._stopped.wait(self._patience()):
            now, total = time.monotonic(), self._brake.cpu_seconds()
            most = _CORES * (now - at)  # more cannot be used; a clock that says so must not pause for long
            credit = min(depth, credit + self._share * (now - at) - min(total - used, most))
            at, used = now, total
            if credit <= 0 and not paused:
                self._brake.hold(Holder.GOVERNOR)
                paused = True
            elif credit >= depth / 2 and paused:
                self._brake.release(Holder.GOVERNOR)
                paused = False

    def _patience(self) -> float:
        """What a program uses before it is noticed, it pays for by a pause."""
        return IDLE_SECONDS if self._brake.is_empty else TICK_SECONDS
