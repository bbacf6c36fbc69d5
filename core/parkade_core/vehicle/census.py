"""Counts of vehicles and slots: what VehiclePool.status and a batch's slots are decided from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.vehiclepool_status import VehicleCounts, VehiclePoolStatus
from parkade_api.wellknown import GATEWAY_UNREACHABLE, Reason
from parkade_core.conditions import renew


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One vehicle as the gateway knows it."""

    pool: str | None
    online: bool
    eligible: bool
    reason: Reason | None  # the first reason why it may not work
    busy_with: str | None = None  # uid of the batch whose slot runs there


@dataclass(frozen=True, slots=True)
class PoolCount:
    """The vehicles of one pool, counted."""

    total: int = 0
    online: int = 0
    eligible: int = 0
    busy: int = 0
    offline: int = 0
    free: int = 0  # eligible and without a slot
    ineligible_reasons: Mapping[str, int] = field(default_factory=dict)


def count_pool(pool: str, vehicles: Iterable[VehicleView]) -> PoolCount:
    """The vehicles of *pool*, counted."""
    ours = [vehicle for vehicle in vehicles if vehicle.pool == pool]
    online = sum(vehicle.online for vehicle in ours)
    return PoolCount(
        total=len(ours),
        online=online,
        eligible=sum(vehicle.eligible for vehicle in ours),
        busy=sum(vehicle.busy_with is not None and vehicle.online for vehicle in ours),
        offline=len(ours) - online,
        free=sum(vehicle.eligible and vehicle.busy_with is None for vehicle in ours),
        ineligible_reasons=dict(Counter(str(v.reason or Reason.UNKNOWN) for v in ours if not v.eligible)),
    )


def add_up(counts: Iterable[PoolCount]) -> PoolCount:
    """The vehicles of several pools, counted."""
    known = list(counts)
    reasons: Counter[str] = Counter()
    for count in known:
        reasons.update(count.ineligible_reasons)
    return PoolCount(
        total=sum(count.total for count in known),
        online=sum(count.online for count in known),
        eligible=sum(count.eligible for count in known),
        busy=sum(count.busy for count in known),
        offline=sum(count.offline for count in known),
        free=sum(count.free for count in known),
        ineligible_reasons=dict(reasons),
    )


def pool_status(pool: VehiclePool, count: PoolCount | None, now: str) -> VehiclePoolStatus:
    """VehiclePool.status. While the gateway has not reported, *count* is None and the last counts stay."""
    before = pool.status or VehiclePoolStatus()
    generation = pool.metadata.generation
    if count is None:
        unserved = (False, GATEWAY_UNREACHABLE, "The gateway has not reported; the operator keeps asking")
        conditions = renew(before.conditions, {"Ready": unserved}, generation, now)
        return before.model_copy(update={"observed_generation": generation, "conditions": conditions})
    can_work = count.eligible > 0
    capacity = f"{count.eligible} of {count.total} vehicles may work now"
    facts = {
        "Ready": (True, "GatewayConnected", "The gateway reports this pool's vehicles"),
        "CapacityAvailable": (can_work, "VehiclesEligible" if can_work else "NoVehicleEligible", capacity),
    }
    return VehiclePoolStatus(
        observed_generation=generation,
        conditions=renew(before.conditions, facts, generation, now),
        vehicles=VehicleCounts(
            total=count.total,
            online=count.online,
            eligible=count.eligible,
            busy=count.busy,
            offline=count.offline,
        ),
        ineligible_reasons=dict(count.ineligible_reasons),
    )
