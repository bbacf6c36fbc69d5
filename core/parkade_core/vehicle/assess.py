"""What a vehicle's Node says: conditions, taints and reasons from signals and the pool's rules.

The gateway calls it on every telemetry message, on every change of a session or a pool, and at `recheck_at`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from parkade_api.wellknown import Condition, Effect, Reason, Taint
from parkade_core.vehicle import battery, charging, connectivity, parked, policy, thermal, trusted
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.verdict import MINIMUM_HOLD, SEVERITY, Verdict, blank, earliest, settle

TaintRow = tuple[Taint, str, Effect]
Judge = Callable[[Facts, Verdict | None, float, float], Verdict]
Relayed = Mapping[Condition, Verdict]

# What signals alone say, in the order of the design's table, which is the order of reasons.
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
    Condition.POLICY_ALLOWS: Taint.POLICY,
    Condition.CONSENT_CURRENT: Taint.CONSENT,
    Condition.TRUSTED: Taint.QUARANTINE,
}

_NOTHING_RELAYED: Final[Relayed] = MappingProxyType({})
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
    facts: Facts | None,
    previous: Assessment | None,
    now: float,
    *,
    connected: bool,
    relayed: Relayed = _NOTHING_RELAYED,
) -> Assessment:
    """Judges one vehicle.

    Readings in *facts* carry their age at *now* (seconds, any monotonic clock). *facts* is None while the vehicle is
    in no pool. *previous* is the last assessment of this vehicle, None at first. *relayed* are the verdicts that the
    vehicle told of itself: where it is stricter than the gateway, or alone can know, its word counts.
    """
    before = {verdict.condition: verdict for verdict in previous.verdicts} if previous else {}
    if facts is None:
        return _gather(_without_rules(before, now, connected=connected))
    link = connectivity.judge(
        facts, before.get(Condition.CONNECTIVITY_OK), now, MINIMUM_HOLD, connected=connected
    )
    trust = trusted.judge(facts, before.get(Condition.TRUSTED), now, MINIMUM_HOLD)
    if not facts.readings or connectivity.is_silent(facts, connected=connected):
        return _gather((*_kept(JUDGES, before), link, *_kept(_TOLD, before), trust))
    signs = (judge(facts, before.get(condition), now, MINIMUM_HOLD) for condition, judge in JUDGES.items())
    told = (_told(condition, facts, relayed, before.get(condition), now) for condition in _TOLD)
    return _gather(tuple(_agreed(own, relayed, before, now) for own in (*signs, link, *told, trust)))


def _kept(conditions: Iterable[Condition], before: Mapping[Condition, Verdict]) -> tuple[Verdict, ...]:
    """What was judged while the vehicle could be heard."""
    return tuple(
        replace(before[condition], recheck_at=None)
        if condition in before
        else blank(condition, "no telemetry yet")
        for condition in conditions
    )


def _agreed(own: Verdict, relayed: Relayed, before: Relayed, now: float) -> Verdict:
    """The stricter of the gateway's own verdict and the vehicle's, whose owner may have set tighter limits.

    What the gateway remembers of the signals stays its own.
    """
    word = relayed.get(own.condition)
    if word is None or word.holds:
        return own
    if not own.holds and SEVERITY[word.effect] <= SEVERITY[own.effect]:
        return own
    settled = settle(word, before.get(own.condition), now, MINIMUM_HOLD)
    return replace(
        settled,
        latched=own.latched,
        clear_since=own.clear_since,
        blind_since=own.blind_since,
        recheck_at=earliest((settled.recheck_at, own.recheck_at)),
    )


def _told(
    condition: Condition, facts: Facts, relayed: Relayed, previous: Verdict | None, now: float
) -> Verdict:
    """What the vehicle alone can know: its word, and Unknown while a pool that asks for it has not heard it."""
    if condition is Condition.POLICY_ALLOWS and policy.objections(facts):
        return policy.judge(facts, previous, now, MINIMUM_HOLD)
    if condition in relayed:
        return settle(relayed[condition], previous, now, MINIMUM_HOLD)
    if _TOLD[condition](facts.rules):
        return blank(condition, "the vehicle has not told it yet", previous)
    judged = Verdict(condition, holds=True, reason=None, message="the pool asks for nothing")
    return settle(judged, previous, now, MINIMUM_HOLD)


def _asks_policy(rules: PoolRules) -> bool:
    return bool(
        rules.windows or rules.places or rules.respect_schedule or rules.max_energy_wh_per_day is not None
    )


def _asks_consent(rules: PoolRules) -> bool:
    return rules.consent is not None


# What the vehicle tells of itself, and whether a pool depends on it.
_TOLD: Final[Mapping[Condition, Callable[[PoolRules], bool]]] = {
    Condition.POLICY_ALLOWS: _asks_policy,
    Condition.CONSENT_CURRENT: _asks_consent,
}


def _without_rules(
    before: Mapping[Condition, Verdict], now: float, *, connected: bool
) -> tuple[Verdict, ...]:
    message = "the vehicle is in no pool"
    link = before.get(Condition.CONNECTIVITY_OK)
    if connected:
        heard = blank(Condition.CONNECTIVITY_OK, message, link)
    else:
        silent = Verdict(Condition.CONNECTIVITY_OK, False, Reason.SILENT, "no session", Effect.NO_SCHEDULE)
        heard = settle(silent, link, now, MINIMUM_HOLD)
    return tuple(
        heard if condition is Condition.CONNECTIVITY_OK else blank(condition, message, before.get(condition))
        for condition in Condition
    )


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
        return "metered" if verdict.reason is Reason.METERED_LINK else "offline"
    if verdict.condition is not Condition.THERMAL_OK:
        return ""
    if verdict.reason is Reason.TOO_COLD:
        return "cold"
    return _HEAT.get(verdict.effect, "") if verdict.effect else ""
