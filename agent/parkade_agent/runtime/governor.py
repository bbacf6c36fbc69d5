"""Holds the slot's programs together to a share of CPU, by pausing and resuming them, whatever they do.

A bucket fills with `share` CPU seconds a second and is drained by what the kernel's clocks say was used; empty means
pause, half full means run. It needs no privilege, works on every kernel and leaves nothing behind.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from parkade_agent.guard import Holder, give_up
from parkade_agent.runtime.brake import SlotBrake

PERIOD_SECONDS: Final = 0.1
TICK_SECONDS: Final = 0.01
IDLE_SECONDS: Final = 0.5
_CORES: Final = os.cpu_count() or 1


class Governor:
    """Keeps the sum of the slot's CPU time at as many cores, on average, as *share* says at the moment."""

    def __init__(self, brake: SlotBrake, share: Callable[[], float]) -> None:
        self._brake = brake
        self._share = share
        self._credit = PERIOD_SECONDS * share()
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
        at, used = time.monotonic(), self._brake.cpu_seconds()
        while not self._stopped.wait(self._patience()):
            now, total, share = time.monotonic(), self._brake.cpu_seconds(), self._share()
            most = _CORES * (now - at)  # more cannot be used; a clock that says so must not pause for long
            gained = share * (now - at) - min(total - used, most)
            self._credit = min(share * PERIOD_SECONDS, self._credit + gained)
            at, used = now, total
            self._act(share)

    def _act(self, share: float) -> None:
        is_paused = self._brake.is_held(Holder.GOVERNOR)
        if self._credit <= 0 and not is_paused:
            self._brake.hold(Holder.GOVERNOR)
        elif is_paused and self._credit >= share * PERIOD_SECONDS / 2:
            self._brake.release(Holder.GOVERNOR)

    def _patience(self) -> float:
        """Until there is something to do at the earliest, in seconds; a slot that keeps to its share costs little.

        What a program uses before it is noticed, it pays for by a pause.
        """
        if self._brake.is_empty:
            return IDLE_SECONDS
        if self._brake.is_held(Holder.GOVERNOR):
            return TICK_SECONDS
        beyond = _CORES - self._share()
        soonest = self._credit / beyond if beyond > 0 else IDLE_SECONDS
        return min(IDLE_SECONDS, max(TICK_SECONDS, soonest))
