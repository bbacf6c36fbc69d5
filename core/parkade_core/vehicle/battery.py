"""BatteryOK: the state of charge is above floor and reserve, and after a stop above the resume point."""

from dataclasses import replace

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import number, stale_at, why_missing
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.verdict import Verdict, blind, earliest, settle


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether there is charge to spare. Closes under the floor, opens at the resume point."""
    readings, stale_after = facts.readings, facts.rules.telemetry_stale_after
    percent = number(readings, vss.STATE_OF_CHARGE, stale_after)
    was_low = previous is not None and previous.latched
    name, floor, resume = _points(facts.rules)
    if percent is None:
        words = why_missing(readings, vss.STATE_OF_CHARGE, stale_after)
        patience = max(stale_after, hold)
        judged = blind(Condition.BATTERY_OK, words, previous, now, patience, at_once=was_low)
    elif percent < (resume if was_low else floor):
        name, bound = (name, floor) if percent < floor else ("resume point", resume)
        words = f"StateOfCharge {percent:g} % is under the {name} of {bound:g} %"
        remedy = f"charge to {resume:g} %"
        judged = Verdict(
            Condition.BATTERY_OK, False, Reason.LOW_BATTERY, words, Effect.NO_EXECUTE, remedy=remedy
        )
    else:
        judged = Verdict(Condition.BATTERY_OK, True, None, f"StateOfCharge {percent:g} %")
    recheck_at = earliest((judged.recheck_at, stale_at(readings, (vss.STATE_OF_CHARGE,), stale_after, now)))
    latched = was_low if percent is None else not judged.holds
    return settle(replace(judged, latched=latched, recheck_at=recheck_at), previous, now, hold)


def _points(rules: PoolRules) -> tuple[str, float, float]:
    """What the floor is called, the floor, and the resume point, as far above it as the pool has it, never under it."""
    floor, reserve = rules.min_state_of_charge_percent, rules.reserve_state_of_charge_percent
    dead_band = max(0.0, rules.resume_state_of_charge_percent - floor)
    name, lowest = ("floor", floor) if reserve <= floor else ("reserve", reserve)
    return name, lowest, min(100.0, lowest + dead_band)
