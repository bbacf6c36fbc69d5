"""The time of day, as long as it can be believed: a clock that was stepped is not, until it is right again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from parkade_agent.signals.heard import boottime

MOST_STEP_SECONDS: Final = 60.0
"""Seconds by which the time of day may run away from the clock that never steps."""


class WallClock:
    """The vehicle's time of day in *zone*, an IANA name; empty: the zone that the computer is set to."""

    def __init__(
        self,
        zone: str = "",
        real: Callable[[], float] = time.time,
        steady: Callable[[], float] = boottime,
    ) -> None:
        self._zone = ZoneInfo(zone) if zone else None
        self._real = real
        self._steady = steady
        self._ahead = self._told_ahead = real() - steady()

    def now(self) -> datetime | None:
        """The time of day, or None while it is neither that of the start, plus what has passed, nor confirmed."""
        unix = self._real()
        ahead = unix - self._steady()
        if min(abs(ahead - known) for known in (self._ahead, self._told_ahead)) > MOST_STEP_SECONDS:
            return None
        moment = datetime.fromtimestamp(unix, UTC)
        return moment.astimezone(self._zone)

    def confirm(self, unix: float) -> None:
        """Somebody else's clock shows *unix* now: whenever ours agrees with it, ours is believed, too.

        It takes no belief away: who can reach the vehicle must not be able to stop it by a wrong clock.
        """
        self._told_ahead = unix - self._steady()
