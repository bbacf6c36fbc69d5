"""ChargingOK: the plug rule of the pool. Forbids new work only; what runs may finish."""

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import flag, stale_at, why_missing
from parkade_core.vehicle.rules import Charging
from parkade_core.vehicle.verdict import Verdict, settle

_PATHS = (vss.PLUGGED_IN, vss.IS_CHARGING)


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the vehicle is plugged in as the pool asks; a full one is, without charging."""
    readings, stale_after = facts.readings, facts.rules.telemetry_stale_after
    plugged = flag(readings, vss.PLUGGED_IN, stale_after)
    if plugged is None:
        plugged = flag(readings, vss.IS_CHARGING, stale_after)
    judged = Verdict(
        Condition.CHARGING_OK,
        *_weigh(plugged, facts),
        recheck_at=stale_at(readings, _PATHS, stale_after, now),
        remedy="" if plugged else "plug in",
    )
    return settle(judged, previous, now, hold)


def _weigh(plugged: bool | None, facts: Facts) -> tuple[bool, Reason | None, str, Effect | None]:  # noqa: FBT001 - a signal
    rule = facts.rules.charging
    if rule is Charging.NOT_REQUIRED:
        return True, None, "the pool asks for no plug", None
    if plugged:
        return True, None, "plugged in", None
    message = "the charging cable is not connected"
    if plugged is None:
        message = why_missing(facts.readings, vss.PLUGGED_IN, facts.rules.telemetry_stale_after)
    if rule is Charging.PREFERRED_ABOVE_FLOOR:
        return True, None, f"{message}; the pool prefers it", Effect.PREFER_NO_SCHEDULE
    return False, Reason.UNKNOWN if plugged is None else Reason.NOT_CHARGING, message, Effect.NO_SCHEDULE
