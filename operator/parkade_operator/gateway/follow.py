"""What follows from a change of pools, Nodes or batches for the vehicles."""

import asyncio
from typing import Final

from parkade_core.batch.plan import Plan
from parkade_operator.gateway.wiring import Gateway

_PAUSE_SECONDS: Final = 0.5


async def follow_pools(gateway: Gateway) -> None:
    """A pool changed: its vehicles are judged anew, and their guards hear the new rules, or that there are none."""
    seen: dict[str, tuple[str, int]] = {}
    while True:
        changed = gateway.changes.next()
        editions = gateway.pools.editions()
        if editions != seen:
            seen = editions
            gateway.vehicles.judge_all()
            for vehicle in gateway.vehicles.names():
                gateway.fleet.send_policy(vehicle)
        await changed.wait()


async def follow_quarantines(gateway: Gateway) -> None:
    """An administrator wrote on a vehicle's Node that it is not trusted, or took that back."""
    seen: dict[str, str] = {}
    while True:
        changed = gateway.node_changes.next()
        now = gateway.vehicles.quarantines()
        for vehicle in sorted(name for name in {*seen, *now} if seen.get(name) != now.get(name)):
            gateway.vehicles.reconsider(vehicle)
            gateway.fleet.send_policy(vehicle)
        seen = now
        await changed.wait()
        # Nodes change in bursts, most of them by our own hand, and each look is at all of them.
        await asyncio.sleep(_PAUSE_SECONDS)


async def follow_batches(gateway: Gateway) -> None:
    """A batch was planned: slots that were bound to vehicles before that are assigned now."""
    seen: dict[str, Plan] = {}
    while True:
        changed = gateway.changes.next()
        plans = gateway.batches.plans()
        for uid in (uid for uid, plan in plans.items() if seen.get(uid) is not plan):
            gateway.slots.nudge_batch(uid)
        seen = plans
        await changed.wait()
        # Every word of every vehicle is a change.
        await asyncio.sleep(_PAUSE_SECONDS)
