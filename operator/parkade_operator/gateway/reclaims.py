"""The reclaims that vehicles tell of, pool by pool, since this gateway leads.

The metrics hear of every stop; a pool's figures, which promise something to owners, only of those for an owner.
"""

from collections.abc import Callable, Iterable
from typing import Final

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_core.bucket import Limit
from parkade_core.vehicle.reclaims import ReclaimFigures, ReclaimWindow
from parkade_operator.door.limits import Exhausted, Meter
from parkade_operator.door.metrics import observe_reclaim

_LONGEST_SECONDS: Final = 3600.0
_EACH: Final = Limit(rate=1 / 60, burst=10)
"""Of one vehicle, so that none can outvote the others: a freeze is held for longer than it is seldom."""

_FOR_OWNERS: Final = frozenset(
    {Reason.DRIVING, Reason.DEPARTURE_NEAR, Reason.OWNER_PAUSED, Reason.NO_CONSENT}
)


class ReclaimLog:
    """*pool_of* names the pool of a vehicle, None while it is in none."""

    def __init__(self, pool_of: Callable[[str], str | None], clock: Callable[[], float]) -> None:
        self._pool_of = pool_of
        self._clock = clock
        self._began = clock()
        self._windows: dict[str, ReclaimWindow] = {}
        self._meter = Meter(_EACH, clock)

    def hear(self, vehicle: str, reclaims: Iterable[pb.Reclaim]) -> None:
        """Takes what one vehicle told, as far as it can be."""
        pool = self._pool_of(vehicle)
        for reclaim in reclaims:
            if not 0 <= reclaim.seconds <= _LONGEST_SECONDS:
                continue
            try:
                self._meter.charge(vehicle)
            except Exhausted:
                return
            observe_reclaim(reclaim)
            if pool is not None and reclaim.reason in _FOR_OWNERS:
                self._window(pool).add(reclaim.seconds, self._clock())

    def figures(self, pool: str, target: float) -> ReclaimFigures | None:
        """What the reclaims of a pool say of its *target*, in seconds; None while that is not known."""
        return self._window(pool).figures(target, self._clock())

    def _window(self, pool: str) -> ReclaimWindow:
        return self._windows.setdefault(pool, ReclaimWindow(self._began))
