"""The driver returns while the gateway is unreachable: until nothing computes, and until the memory is back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from parkade_reclaim.scene import Stage, observing
from support.vehicles import POLICY

_WATCHED_SECONDS: Final = 5.0
_BEFORE_THE_KILL: Final = 0.9  # of the grace: what is used later is the programs' own end
_MILLISECONDS: Final = 1e6
_GRACE_NANOSECONDS: Final = POLICY.driver_return_grace_seconds * 1e9


@dataclass(frozen=True, slots=True)
class Stop:
    """One return of the driver; milliseconds from the signal."""

    frozen: float
    """Until the last CPU time before the kill. Programs that never stop make it the whole grace."""
    dead: float
    freed: float
    resident: int
    """Bytes that the programs held alone when the driver came."""
    back: int
    """By how much the machine's available memory had grown afterwards."""


async def stop_often(stage: Stage, count: int, say: Callable[[str, int, int], None]) -> list[Stop]:
    """Has the driver return *count* times to a vehicle at work."""
    stops = list[Stop]()
    for number in range(count):
        say("stop", number, count)
        async with stage.scene() as vehicle:
            await vehicle.loaded()
            with vehicle.relay.cut():
                async with observing(vehicle.programs(), _WATCHED_SECONDS) as watching:
                    signalled = time.monotonic_ns()
                    vehicle.agent.signal(IS_MOVING=True)
                    stops.append(stop_of(await watching, signalled))
            await vehicle.ended()
    return stops


def stop_of(seen: dict[str, Any], signalled: int) -> Stop:
    """What the observer saw, by the time that the signal was given; what it never saw took for ever."""
    last = signalled + _BEFORE_THE_KILL * _GRACE_NANOSECONDS
    used = [at for at in seen["used_at"] if signalled <= at <= last]
    return Stop(
        frozen=(max(used, default=signalled) - signalled) / _MILLISECONDS,
        dead=_since(signalled, seen["dead_at"]),
        freed=max(_since(signalled, seen["dead_at"]), _since(signalled, seen["freed_at"])),
        resident=seen["resident"],
        back=seen["available_after"] - seen["available_before"],
    )


def _since(signalled: int, at: int | None) -> float:
    return float("inf") if at is None else (at - signalled) / _MILLISECONDS
