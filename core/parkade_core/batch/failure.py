"""When a shard has failed in vehicles too often for the batch to go on.

A vehicle that leaves (a driver, heat, a deleted slot) has not failed: its shards simply go to another one.
"""

from dataclasses import dataclass
from typing import Final

from parkade_api.wellknown import ShardFault

MOST_FAILURES: Final = 3

_FAULTS: Final = frozenset(ShardFault)


@dataclass(frozen=True, slots=True)
class ShardFailed:
    """The shard that ends the batch, and a sentence about it."""

    shard: int
    message: str


class FailureCount:
    """Failures of one batch, counted by shard; each handed-back attempt counts once."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def note(self, shards: tuple[int, ...], reason: str, message: str) -> ShardFailed | None:
        """Count shards handed back with *reason*; the first that has failed too often is returned."""
        if reason not in _FAULTS:
            return None
        for shard in shards:
            self._counts[shard] = count = self._counts.get(shard, 0) + 1
            if count >= MOST_FAILURES:
                detail = f"{reason}: {message}" if message else reason
                return ShardFailed(shard, f"shard {shard} failed {count} times, last with {detail}")
        return None
