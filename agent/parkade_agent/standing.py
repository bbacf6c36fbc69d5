"""Since when the vehicle is parked, in the journal, so that the slot of a killed agent can go on."""

import asyncio
import time
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.errors import JournalBroken
from parkade_agent.journal.journal import Journal
from parkade_agent.signals.heard import boottime
from parkade_core.vehicle import standing
from parkade_core.vehicle.guard import GuardState
from parkade_core.vehicle.standing import NOTE_AFTER, Standing

NOTE: Final = "parked"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_log = structlog.get_logger()


class ParkedNote:
    """What an earlier agent noted, and what this one notes; `note` is called while a slot works."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._boot = _boot()
        self._noted_at = 0.0
        self._earlier = self._recall()

    def since(self) -> float | None:
        """Since when the vehicle is parked, as an agent saw it that ran until a moment ago; None when none did.

        Monotonic seconds. Callable from any thread; waits for nothing.
        """
        stood = standing.stood_for(self._earlier, self._boot, boottime())
        return None if stood is None else time.monotonic() - stood

    async def note(self, state: GuardState) -> None:
        """Remembers what the guard sees, when the last note is old. A journal in trouble tells that itself."""
        now, since = boottime(), standing.parked_since(state)
        if since is None or now < self._noted_at + NOTE_AFTER:
            return
        self._noted_at = now
        line = standing.noted(Standing(self._boot, now - (time.monotonic() - since), now))
        try:
            await asyncio.to_thread(self._journal.remember, NOTE, line)
        except JournalBroken as error:
            _log.warning("since when the vehicle is parked is not remembered", error=str(error))

    def _recall(self) -> Standing | None:
        try:
            return standing.recalled(self._journal.recall(NOTE))
        except (JournalBroken, ValueError) as error:
            _log.warning("since when the vehicle is parked is forgotten", error=str(error))
            return None


def _boot() -> str:
    """The kernel's name of this boot; empty when it does not tell, and then no note counts."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
