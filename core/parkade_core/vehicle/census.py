"""Counts of vehicles and slots: what VehiclePool.status and a batch's slots are decided from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import Condition
from parkade_api.v1alpha1.vehiclepool import VehicleCounts, VehiclePoolStatus
from parkade_api.wellknown import Reason


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
        ineligible_reasons=dict(Counter(str(v.reason or Reason.UNKNOWN) for v in ours if not v.eligible)),
    )


def free_for(batch_uid: str, pools: Iterable[str], vehicles: Iterable[VehicleView]) -> int:
    """Eligible vehicles of *pools* that are free or busy with this batch."""
    names = set(pools)
    return sum(
        vehicle.eligible and vehicle.pool in names and vehicle.busy_with in (None, batch_uid)
        for vehicle in vehicles
    )


def pool_status(pool: VehiclePool, count: PoolCount | None, now: str) -> VehiclePoolStatus:
    """VehiclePool.status; *count* is None while the gateway has not reported."""
    had = {item.type: item for item in (pool.status.conditions if pool.status else None) or []}
    known = count or PoolCount()

    def condition(kind: str, why: tuple[str, str], *, holds: bool) -> Condition:
        status = "True" if holds else "False"
        before = had.get(kind)
        same = before is not None and before.status == status
        return Condition(
            type=kind,
            status="True" if holds else "False",
            reason=why[0],
            message=why[1],
            last_transition_time=before.last_transition_time if before and same else now,
            observed_generation=pool.metadata.generation,
        )

    served = ("GatewayConnected", "The gateway reports this pool's vehicles")
    unserved = ("GatewayUnreachable", "The gateway has not reported; the operator keeps asking")
    capacity = f"{known.eligible} of {known.total} vehicles may work now"
    return VehiclePoolStatus(
        observed_generation=pool.metadata.generation,
        conditions=[
            condition("Ready", served if count else unserved, holds=count is not None),
            condition(
                "CapacityAvailable",
                ("VehiclesEligible" if known.eligible else "NoVehicleEligible", capacity),
                holds=known.eligible > 0,
            ),
        ],
        vehicles=VehicleCounts(
            total=known.total,
            online=known.online,
            eligible=known.eligible,
            busy=known.busy,
            offline=known.offline,
        ),
        ineligible_reasons=dict(known.ineligible_reasons),
    )
