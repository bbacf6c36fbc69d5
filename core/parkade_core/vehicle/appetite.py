"""How many shards a vehicle leases: a few seconds of its own work, so it never waits for a round trip."""

import math

from parkade_api.wellknown import MOST_LEASED_SHARDS

SECONDS_AHEAD = 2.0
FIRST = 2


def plan_lease(in_hand: int, seconds_per_shard: float | None) -> int:
    """How many shards to ask for with *in_hand* leased and unfinished; 0 while enough are in hand.

    *seconds_per_shard* is the vehicle's measured pace, None before its first shard.
    """
    if seconds_per_shard is None:
        target = FIRST
    else:
        target = min(MOST_LEASED_SHARDS, max(FIRST, math.ceil(SECONDS_AHEAD / max(seconds_per_shard, 1e-6))))
    return target - in_hand if in_hand <= target // 2 else 0
