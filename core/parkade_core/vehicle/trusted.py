"""Trusted: the cluster has not put the vehicle in quarantine. Forbids new work only; what runs may finish."""

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.verdict import Verdict, settle


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the cluster trusts the vehicle; it says so itself, and tells the vehicle with the rules."""
    if facts.quarantined_because:
        judged = Verdict(
            Condition.TRUSTED,
            holds=False,
            reason=Reason.QUARANTINED,
            message=facts.quarantined_because,
            effect=Effect.NO_SCHEDULE,
            remedy="ask whoever runs the fleet",
        )
    else:
        judged = Verdict(Condition.TRUSTED, holds=True, reason=None, message="not in quarantine")
    return settle(judged, previous, now, hold)
