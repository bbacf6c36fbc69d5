"""VehiclePool.status: what is counted of its vehicles, and conditions in plain sentences."""

import math
from dataclasses import dataclass, replace
from typing import Final

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import seconds
from parkade_api.v1alpha1.vehiclepool import VehiclePoolSpec
from parkade_api.v1alpha1.vehiclepool_status import ReclaimTimes, VehicleCounts, VehiclePoolStatus
from parkade_api.wellknown import GATEWAY_UNREACHABLE
from parkade_core.conditions import Fact, renew
from parkade_core.vehicle.census import PoolCount
from parkade_core.vehicle.contradictions import contradictions
from parkade_core.vehicle.reclaims import ReclaimFigures

_PROMISE: Final = "ReclaimSLOMet"


@dataclass(frozen=True, slots=True)
class PoolReport:
    """What the gateway tells of one pool; *reclaims* is None while it heard of none and leads for less than a day."""

    count: PoolCount
    reclaims: ReclaimFigures | None = None


def pool_status(pool: VehiclePool, report: PoolReport | None, now: str) -> VehiclePoolStatus:
    """The status of *pool*. While the gateway has not reported, *report* is None and the last figures stay."""
    before = pool.status or VehiclePoolStatus()
    generation = pool.metadata.generation
    valid = {"ValidationSucceeded": _validation(pool.spec)}
    if report is None:
        unserved = (False, GATEWAY_UNREACHABLE, "The gateway has not reported; the operator keeps asking")
        conditions = renew(before.conditions, {"Ready": unserved} | valid, generation, now)
        return before.model_copy(update={"observed_generation": generation, "conditions": conditions})
    report = _believed(pool.spec, report, before)
    return VehiclePoolStatus(
        observed_generation=generation,
        conditions=renew(before.conditions, valid | _facts(pool.spec, report), generation, now),
        vehicles=_counts(report.count),
        reclaim=before.reclaim if report.reclaims is None else _times(report.reclaims),
        ineligible_reasons=dict(report.count.ineligible_reasons),
    )


def _believed(spec: VehiclePoolSpec, report: PoolReport, before: VehiclePoolStatus) -> PoolReport:
    """*report* without reclaims that would make a broken promise good although not all of the day was heard."""
    was_broken = any(it.type == _PROMISE and it.status == "False" for it in before.conditions or ())
    figures = report.reclaims
    if was_broken and figures is not None and figures.is_partial and _reclaims(spec, figures)[0]:
        return replace(report, reclaims=None)
    return report


def _facts(spec: VehiclePoolSpec, report: PoolReport) -> dict[str, Fact]:
    return {
        "Ready": (True, "GatewayConnected", "The gateway reports this pool's vehicles"),
        "CapacityAvailable": _capacity(report.count),
        "ConsentCurrent": _consent(spec, report.count),
        # What an earlier gateway told stays until this one knows better.
        **({_PROMISE: _reclaims(spec, report.reclaims)} if report.reclaims else {}),
    }


def _validation(spec: VehiclePoolSpec) -> Fact:
    if found := contradictions(spec):
        return False, "Contradictory", "; ".join(found)
    return True, "Valid", "All of the spec can be followed"


def _capacity(count: PoolCount) -> Fact:
    reason = "VehiclesEligible" if count.eligible else "NoVehicleEligible"
    return count.eligible > 0, reason, f"{count.eligible} of {count.total} vehicles may work now"


def _consent(spec: VehiclePoolSpec, count: PoolCount) -> Fact:
    if spec.consent is None:
        return True, "NotAsked", "The pool asks owners for no consent"
    terms = f"{count.consented} of {count.total} owners have agreed to terms {spec.consent.terms_version}"
    all_agreed = count.consented == count.total
    return all_agreed, "AllAgreed" if all_agreed else "ConsentMissing", terms


def _reclaims(spec: VehiclePoolSpec, figures: ReclaimFigures) -> Fact:
    target = spec.disruption.driver_return.reclaim_target
    if not figures.count:
        return True, "NoReclaims", "No owner took a vehicle back from work in the last 24 hours"
    is_met = figures.p99 <= seconds(target)
    words = (
        f"99 of 100 owners had their vehicle back within {_shown(figures.p99)}, the target is {target}; "
        f"{figures.violations} of {figures.count} reclaims of the last 24 hours took longer"
    )
    return is_met, "WithinTarget" if is_met else "TooSlow", words


def _counts(count: PoolCount) -> VehicleCounts:
    return VehicleCounts(
        total=count.total,
        online=count.online,
        eligible=count.eligible,
        busy=count.busy,
        offline=count.offline,
        consented=count.consented,
        quarantined=count.quarantined,
    )


def _times(figures: ReclaimFigures) -> ReclaimTimes | None:
    if not figures.count:
        return None
    return ReclaimTimes(p50=_shown(figures.p50), p99=_shown(figures.p99), violations24h=figures.violations)


def _shown(length: float) -> str:
    """A time as the API writes durations, never shown shorter than it was."""
    return f"{math.ceil(length * 1000 - 1e-6)}ms"
