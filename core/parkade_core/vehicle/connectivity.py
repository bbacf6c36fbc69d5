"""ConnectivityOK: the vehicle is connected and its telemetry is fresh. Silence never means gone."""

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import freshest_age
from parkade_core.vehicle.verdict import Verdict, blank, settle


def is_silent(facts: Facts, *, connected: bool) -> bool:
    """True when nothing is heard of the vehicle: no session, or a session whose newest reading is stale."""
    age = freshest_age(facts.readings)
    return not connected or (age is not None and age >= facts.rules.telemetry_stale_after)


def judge(
    facts: Facts,
    previous: Verdict | None,
    now: float,
    hold: float,
    *,
    connected: bool,
) -> Verdict:
    """Whether the vehicle can be heard."""
    age = freshest_age(facts.readings)
    if is_silent(facts, connected=connected):
        message = "no session" if not connected else f"no telemetry for {age or 0:.0f} s"
        judged = Verdict(Condition.CONNECTIVITY_OK, False, Reason.SILENT, message, Effect.NO_SCHEDULE)
        return settle(judged, previous, now, hold)
    if age is None:
        return blank(Condition.CONNECTIVITY_OK, "connected, no telemetry yet", previous)
    recheck_at = now + facts.rules.telemetry_stale_after - age
    judged = Verdict(Condition.CONNECTIVITY_OK, True, None, "connected", recheck_at=recheck_at)
    return settle(judged, previous, now, hold)
