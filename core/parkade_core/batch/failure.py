"""When a shard has failed too often for the batch to go on.

One broken vehicle fails every shard that it touches, so a shard is to blame only when several vehicles failed
it. A fleet of few vehicles would then try for ever; so attempts have a larger limit of their own. A vehicle
that leaves (a driver, heat, a deleted slot) has not failed: its shards simply go to another one.
"""

from dataclasses import dataclass
from typing import Final

from parkade_api.wellknown import ShardFault

MOST_VEHICLES: Final = 3
MOST_FAILURES: Final = 9

_FAULTS: Final = frozenset(ShardFault)


@dataclass(frozen=True, slots=True)
class ShardFailed:
    """The shard that ends the batch, and a sentence about it."""

    shard: int
    message: str


def is_failure(reason: str) -> bool:
    """Whether shards handed back with *reason* have failed; all others were only left."""
    return reason in _FAULTS


class FailureCount:
    """Failures of one batch, counted by shard; each handed-back attempt counts once."""

    def __init__(self) -> None:
        self._vehicles: dict[int, list[str]] = {}

    def note(self, vehicle: str, shards: tuple[int, ...], reason: str, message: str) -> ShardFailed | None:
        """Count shards that *vehicle* handed back; the first that has failed too often is returned."""
        if not is_failure(reason):
            return None
        for shard in shards:
            vehicles = self._vehicles.setdefault(shard, [])
            vehicles.append(vehicle)
            if len(set(vehicles)) >= MOST_VEHICLES or len(vehicles) >= MOST_FAILURES:
                return ShardFailed(shard, _sentence(shard, vehicles, reason, message))
        return None


def _sentence(shard: int, vehicles: list[str], reason: str, message: str) -> str:
    detail = f"{reason}: {message}" if message else reason
    different = len(set(vehicles))
    where = f"{different} vehicles" if different > 1 else "one vehicle"
    return f"shard {shard} failed {len(vehicles)} times on {where}, last with {detail}"
