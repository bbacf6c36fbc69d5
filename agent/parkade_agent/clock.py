"""The time of day, as long as it can be believed: one that was stepped or set back is not, until it is right."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil, inf
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.memory import Memory
from parkade_agent.signals.heard import boottime
from parkade_core.vehicle.daytime import Daytime, believed, must_be_noted

NOTE: Final = "clock.floor"
_log = structlog.get_logger()


class WallClock:
    """The vehicle's time of day in *zone*, an IANA name; empty: the zone that the computer is set to.

    What was believed is remembered in *memory*, so that a clock set back while no agent ran is not. Callable from any
    thread.
    """

    def __init__(
        self,
        memory: Memory,
        zone: str = "",
        real: Callable[[], float] = time.time,
        steady: Callable[[], float] = boottime,
    ) -> None:
        self._memory = memory
        self._zone = ZoneInfo(zone) if zone else None
        self._real = real
        self._steady = steady
        self._lock = threading.Lock()
        self._daytime = Daytime(real() - steady())
        self._noted = inf  # until the journal was read
        self._recall()
        if self._noted == inf:
            _log.warning("the last time of day is not known: the gateway must confirm the clock")

    def now(self) -> datetime | None:
        """The time of day, or None while it is not believed (`parkade_core.vehicle.daytime`).

        Never under the floor, so that what ended stays ended also for a clock that is a little behind it.
        """
        with self._lock:
            after = believed(self._daytime, self._real(), self._steady())
            self._daytime = after or self._daytime
        return None if after is None else datetime.fromtimestamp(after.floor, UTC).astimezone(self._zone)

    def confirm(self, unix: float) -> None:
        """Somebody else's clock shows *unix* now: whenever ours agrees with it, ours is believed, too.

        It takes no belief away: who can reach the vehicle must not be able to stop it by a wrong clock.
        """
        with self._lock:
            self._daytime = replace(self._daytime, told=unix - self._steady())

    async def note(self, ends: Iterable[float] = (), *, at_once: bool = False) -> None:
        """Remembers what was believed, when it must be (*ends* as in `must_be_noted`) or *at_once*.

        A journal that cannot be read or written is asked again at the next call; its trouble it tells itself.
        """
        if self._noted == inf:
            await asyncio.to_thread(self._recall)
        floor = self._daytime.floor
        if floor == inf or not (at_once or must_be_noted(floor, self._noted, ends)):
            return
        with contextlib.suppress(JournalBroken):
            await asyncio.to_thread(self._memory.remember, NOTE, str(ceil(floor)))
            self._noted = floor

    def _recall(self) -> None:
        """Learns the floor from the journal, unless the gateway was first; a damaged note cannot be read."""
        with contextlib.suppress(JournalBroken, ValueError):
            self._noted = float(self._memory.recall(NOTE) or 0)
            with self._lock:
                if self._daytime.floor == inf:
                    self._daytime = replace(self._daytime, floor=self._noted)
