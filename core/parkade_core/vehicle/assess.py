"""What a vehicle's Node says: conditions, taints and reasons from signals and the pool's rules.

The gateway calls it on every telemetry message, on every change of a session or a pool, and at `recheck_at`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from parkade_api.wellknown import Condition, Effect, Reason, Taint
from parkade_core.vehicle import battery, charging, connectivity, parked, thermal
from parkade_core.vehicle.readings import Readings
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.verdict import MINIMUM_HOLD, Verdict, blank, earliest, settle

TaintRow = tuple[Taint, str, Effect]
Judge = Callable[[Readings, PoolRules, Verdict | None, float, float], Verdict]

# In the order of the design's table, which is the order of reasons.
JUDGES: Mapping[Condition, Judge] = {
    Condition.VEHICLE_PARKED: parked.judge,
    Condition.CHARGING_OK: charging.judge,
    Condition.BATTERY_OK: battery.judge,
    Condition.THERMAL_OK: thermal.judge,
}
_TAINTS = {
    Condition.VEHICLE_PARKED: Taint.DRIVING,
    Condition.CHARGING_OK: Taint.CHARGING,
    Condition.BATTERY_OK: Taint.BATTERY,
    Condition.THERMAL_OK: Taint.THERMAL,
    Condition.CONNECTIVITY_OK: Taint.CONNECTIVITY,
}

_HEAT = {Effect.PREFER_NO_SCHEDULE: "warm", Effect.NO_EXECUTE: "hot"}


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that a vehicle's Node shall say, and when to look again although no signal changed."""

    verdicts: tuple[Verdict, ...]
    taints: tuple[TaintRow, ...]
    eligible: bool
    reasons: tuple[Reason, ...]
    recheck_at: float | None

    def verdict(self, condition: Condition) -> Verdict:
        """The verdict of that condition."""
        return next(verdict for verdict in self.verdicts if verdict.condition is condition)


def assess(
    readings: Readings, rules: PoolRules | None, previous: Assessment | None, now: float, *, connected: bool
) -> Assessment:
    """Judges one vehicle.

    *readings* carry their age at *now* (seconds, any monotonic clock). *rules* is None while the vehicle is
    in no pool. *previous* is the last assessment of this vehicle, None at first.
    """
    before = {verdict.condition: verdict for verdict in previous.verdicts} if previous else {}
    if rules is None:
        verdicts = _without_rules(before, now, connected=connected)
    else:
        link = connectivity.judge(
            readings, rules, before.get(Condition.CONNECTIVITY_OK), now, MINIMUM_HOLD, connected=connected
        )
        is_seen = bool(readings) and not connectivity.is_silent(readings, rules, connected=connected)
        verdicts = (*_judged(readings, rules, before, now, is_seen=is_seen), link)
    return _gather(verdicts)


def _judged(
    readings: Readings, rules: PoolRules, before: Mapping[Condition, Verdict], now: float, *, is_seen: bool
) -> tuple[Verdict, ...]:
    if is_seen:
        return tuple(
            judge(readings, rules, before.get(condition), now, MINIMUM_HOLD)
            for condition, judge in JUDGES.items()
        )
    return tuple(
        replace(before[condition], recheck_at=None)
        if condition in before
        else blank(condition, "no telemetry yet")
        for condition in JUDGES
    )


def _without_rules(
    before: Mapping[Condition, Verdict], now: float, *, connected: bool
) -> tuple[Verdict, ...]:
    message = "the vehicle is in no pool"
    verdicts = tuple(blank(condition, message, before.get(condition)) for condition in JUDGES)
    link = before.get(Condition.CONNECTIVITY_OK)
    if connected:
        return (*verdicts, blank(Condition.CONNECTIVITY_OK, message, link))
    silent = Verdict(Condition.CONNECTIVITY_OK, False, Reason.SILENT, "no session", Effect.NO_SCHEDULE)
    return (*verdicts, settle(silent, link, now, MINIMUM_HOLD))


def _gather(verdicts: tuple[Verdict, ...]) -> Assessment:
    taints = [
        (_TAINTS[verdict.condition], _value(verdict), verdict.effect)
        for verdict in verdicts
        if verdict.effect
    ]
    if any(verdict.is_blank for verdict in verdicts):
        taints.append((Taint.UNKNOWN, "", Effect.NO_SCHEDULE))
    reasons = dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason and not verdict.holds)
    return Assessment(
        verdicts=verdicts,
        taints=tuple(taints),
        eligible=all(verdict.holds for verdict in verdicts),
        reasons=tuple(reasons),
        recheck_at=earliest(verdict.recheck_at for verdict in verdicts),
    )


def _value(verdict: Verdict) -> str:
    if verdict.condition is Condition.CONNECTIVITY_OK:
        return "offline"
    if verdict.condition is not Condition.THERMAL_OK:
        return ""
    return _HEAT.get(verdict.effect, "") if verdict.effect else ""
