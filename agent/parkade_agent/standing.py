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
from parkade_core.vehicle.standing import Standing

NOTE: Final = "parked"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_log = structlog.get_logger()


class ParkedNote:
    """What an earlier agent noted, and what this one notes; `note` is called every second or so."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._boot = _boot()
        self._earlier = self._noted = self._recall()

    def since(self) -> float | None:
        """Since when the vehicle is parked, as an agent saw it that ran until a moment ago; None when none did.

        Monotonic seconds. Callable from any thread; waits for nothing.
        """
        stood = standing.stood_for(self._earlier, self._boot, boottime())
        return None if stood is None else time.monotonic() - stood

    async def note(self, state: GuardState, *, is_at_work: bool) -> None:
        """Remembers what the guard sees while a slot works, when the last note is old; takes a wrong one back at once.

        A journal in trouble tells that itself; the note is then made when it can be.
        """
        if self._journal.trouble or not state.verdicts:
            return
        seen = self._seen(state)
        if standing.is_broken(self._noted, seen):
            await self._write(None)
        elif seen is not None and is_at_work and standing.is_due(self._noted, seen):
            await self._write(seen)

    def _seen(self, state: GuardState) -> Standing | None:
        since, now = standing.parked_since(state), boottime()
        return None if since is None else Standing(self._boot, now - (time.monotonic() - since), now)

    async def _write(self, seen: Standing | None) -> None:
        line = "" if seen is None else standing.noted(seen)
        try:
            await asyncio.to_thread(self._journal.remember, NOTE, line)
        except JournalBroken as error:
            _log.warning("since when the vehicle is parked is not remembered", error=str(error))
        else:
            self._noted = seen

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
