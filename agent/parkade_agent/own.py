"""What only the vehicle knows of itself, put together for its guard: its owner's word, clock, place, link, energy."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from parkade_agent.clock import WallClock
from parkade_agent.energy import EnergyMeter
from parkade_agent.host import link_kind
from parkade_agent.owner.files import OwnerWord
from parkade_agent.signals.source import SignalSource
from parkade_api import vss
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.position import place_of, position_of
from parkade_core.vehicle.readings import Readings, number
from parkade_core.vehicle.throttle import wanted_cores

LOOK_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 30.0  # of readings that no pool's rule judges: load, power and place


class Journal(Protocol):
    """What the guard must know of the journal."""

    @property
    def trouble(self) -> str:
        """Why the vehicle cannot remember what it must; empty when it can."""


class Work(Protocol):
    """What the guard must know of the programs that work. No method waits."""

    def cpu_seconds(self) -> float:
        """All CPU time that work took so far."""

    def unkillable(self) -> str:
        """Which killed program does not end; empty when all do."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What the vehicle lends, and what that costs: a number of lanes, watts of a core at work, the kind of the link.

    *link* is empty where the computer is asked itself.
    """

    lanes: int
    watts_per_core: float
    missing_layers: tuple[str, ...] = ()
    link: str = ""


class Own:
    """Calling it gives the newest facts and never waits; `keep` looks after what has to be asked for.

    `remember` notes what the next agent must know. *word* gives the owner's newest word.
    """

    def __init__(
        self,
        lent: Lent,
        source: SignalSource,
        word: Callable[[], OwnerWord],
        journal: Journal,
        meter: EnergyMeter,
        clock: WallClock,
        work: Work,
    ) -> None:
        self._lent = lent
        self._source = source
        self._word = word
        self._journal = journal
        self._meter = meter
        self._clock = clock
        self._work = work
        self._link = lent.link or link_kind()
        self._wanted_cores: int | None = 0

    def __call__(self) -> OwnFacts:
        """The facts at this moment. Callable from any thread."""
        word = self._word()
        position = position_of(self._source.readings(), _STALE_SECONDS)
        return OwnFacts(
            limits=word.limits,
            consent=word.consent,
            no_consent_because=word.no_consent_because,
            wall=self._clock.now(),
            place=(place_of(position, word.places) or "") if position is not None else "",
            link=self._link,
            lanes=self._lent.lanes,
            watts_per_lane=self._lent.watts_per_core,
            wanted_cores=self._wanted_cores,
            energy_wh_today=self._meter.wh_today,
            paused_because=word.paused_because,
            problem=word.problem,
            missing_layers=self._lent.missing_layers,
            trouble=self._journal.trouble,
            unkillable=self._work.unkillable(),
        )

    def confirm_time(self, unix: float) -> None:
        """The gateway's time of day, in Unix seconds: a clock that was stepped and is right again can be believed."""
        self._clock.confirm(unix)

    async def keep(self, on_change: Callable[[], None]) -> None:
        """Looks at link, load and energy, and tells *on_change* when the guard must know of it; returns never.

        It waits for no disk: one that hangs is among what the guard must know.
        """
        told: object = None
        while True:
            self._look(self._source.readings())
            troubles = self._journal.trouble, self._work.unkillable()
            seen = (self._link, self._wanted_cores, troubles, self._clock.now() is None)
            if seen != told:
                told = seen
                on_change()
            await asyncio.sleep(LOOK_SECONDS)

    async def remember(self) -> None:
        """Notes energy and time for the next agent, now and then and at the end; returns never."""
        try:
            while True:
                await self._meter.note()
                await self._clock.note(self._ends())
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._meter.note(at_once=True)
            await self._clock.note(at_once=True)

    def _ends(self) -> tuple[float, ...]:
        """When what the owner allowed ends, in Unix seconds."""
        consent = self._word().consent
        return () if consent is None else (consent.expires_at,)

    def _look(self, readings: Readings) -> None:
        wall = self._clock.now()
        watts = number(readings, vss.COMPUTE_WATTS, _STALE_SECONDS)
        today = "" if wall is None else wall.date().isoformat()
        ours = self._meter.take(self._work.cpu_seconds(), watts, today)
        self._link = self._lent.link or link_kind()
        self._wanted_cores = self._wanted(readings, ours)

    def _wanted(self, readings: Readings, ours: float) -> int | None:
        """How many of the lent cores others want while work has *ours*; 0 where the load is never told.

        Linux' pressure figures cannot be asked: they count our own lanes, which wait at the lowest priority.
        """
        load = number(readings, vss.COMPUTE_LOAD, _STALE_SECONDS)
        if load is None:
            return None if vss.COMPUTE_LOAD in readings else 0
        return wanted_cores(load, os.cpu_count() or 1, ours, self._lent.lanes)
