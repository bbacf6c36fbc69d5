"""BatteryOK: the state of charge is above the floor, and after a stop above the resume point."""

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import number, stale_at
from parkade_core.vehicle.verdict import Verdict, settle


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether there is charge to spare. Closes under the floor, opens at the resume point."""
    readings, rules = facts.readings, facts.rules
    percent = number(readings, vss.STATE_OF_CHARGE, rules.telemetry_stale_after)
    was_low = previous is not None and previous.latched
    limit = rules.resume_state_of_charge_percent if was_low else rules.min_state_of_charge_percent
    recheck_at = stale_at(readings, (vss.STATE_OF_CHARGE,), rules.telemetry_stale_after, now)
    if percent is None:
        effect = Effect.NO_EXECUTE if was_low else Effect.NO_SCHEDULE
        judged = _closed(Reason.UNKNOWN, "no fresh StateOfCharge", effect, recheck_at, latched=was_low)
    elif percent < limit:
        is_low = percent < rules.min_state_of_charge_percent
        name, bound = ("floor", rules.min_state_of_charge_percent) if is_low else ("resume point", limit)
        message = f"StateOfCharge {percent:g} % is under the {name} of {bound:g} %"
        judged = _closed(Reason.LOW_BATTERY, message, Effect.NO_EXECUTE, recheck_at, latched=True)
    else:
        message = f"StateOfCharge {percent:g} %"
        judged = Verdict(
            Condition.BATTERY_OK, holds=True, reason=None, message=message, recheck_at=recheck_at
        )
    return settle(judged, previous, now, hold)


def _closed(
    reason: Reason, message: str, effect: Effect, recheck_at: float | None, *, latched: bool
) -> Verdict:
    return Verdict(
        Condition.BATTERY_OK, False, reason, message, effect, latched=latched, recheck_at=recheck_at
    )
