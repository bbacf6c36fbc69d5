"""Counts of vehicles and slots: what VehiclePool.status and a batch's slots are decided from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parkade_api.wellknown import Reason


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One vehicle as the gateway knows it."""

    pool: str | None
    online: bool
    eligible: bool
    reason: Reason | None  # the first reason why it may not work
    has_consent: bool = True  # its owner's consent covers what the pool asks
    in_quarantine: bool = False
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
    consented: int = 0
    quarantined: int = 0
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
        consented=sum(vehicle.has_consent for vehicle in ours),
        quarantined=sum(vehicle.in_quarantine for vehicle in ours),
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
        consented=sum(count.consented for count in known),
        quarantined=sum(count.quarantined for count in known),
        ineligible_reasons=dict(reasons),
    )
