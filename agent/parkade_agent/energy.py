"""The energy that work used today: measured where the platform tells its power, reckoned from CPU time elsewhere."""

import asyncio
import time
from typing import Final

import structlog

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.memory import Memory
from parkade_core.vehicle.usage import Usage, noted, recalled, used, watt_hours

NOTE: Final = "energy.today"
_NOTE_SECONDS: Final = 60.0  # a crash forgets at most what was used since
_log = structlog.get_logger()


class EnergyMeter:
    """Counts from one `take` to the next; `wh_today` may be read from any thread.

    *watts_per_core* is what a core draws at work, where nobody measures it.
    """

    def __init__(self, memory: Memory, watts_per_core: float) -> None:
        self._memory = memory
        self._watts_per_core = watts_per_core
        self._taken_at = time.monotonic()
        self._cpu_seconds = 0.0
        self._last_watts = 0.0
        self._noted_at = self._taken_at
        self._usage = self._noted = self._recall()

    @property
    def wh_today(self) -> float:
        """Watt-hours of the vehicle's day so far."""
        return self._usage.wh

    def take(self, cpu_seconds: float, watts: float | None, today: str) -> float:
        """Counts what was used since the last call; returns how many cores work had on average since then.

        *cpu_seconds* is all CPU time of work so far, *watts* what the platform measures now, None while it does not or
        is not believed, *today* the vehicle's date, empty while its clock is not believed.
        """
        now = time.monotonic()
        seconds, more = now - self._taken_at, max(0.0, cpu_seconds - self._cpu_seconds)
        self._taken_at, self._cpu_seconds = now, cpu_seconds
        wh = watt_hours(seconds, more, watts, self._watts_per_core, self._last_watts)
        self._last_watts = self._last_watts if watts is None else watts
        self._usage = used(self._usage, wh, today)
        return more / seconds if seconds > 0 else 0.0

    async def note(self, *, at_once: bool = False) -> None:
        """Remembers the day so far, once a minute or *at_once*, unless nothing was used since.

        A journal in trouble is told by the journal itself.
        """
        now, usage = time.monotonic(), self._usage
        if usage == self._noted or (not at_once and now < self._noted_at + _NOTE_SECONDS):
            return
        self._noted_at = now
        try:
            await asyncio.to_thread(self._memory.remember, NOTE, noted(usage))
            self._noted = usage
        except JournalBroken as error:
            _log.warning("the energy used today is not remembered", error=str(error))

    def _recall(self) -> Usage:
        try:
            return recalled(self._memory.recall(NOTE))
        except (JournalBroken, ValueError) as error:
            _log.warning("what was used today is forgotten", error=str(error))
            return recalled(None)
