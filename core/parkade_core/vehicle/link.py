"""ConnectivityOK in the vehicle: the link is there, and one that pool and owner allow. What runs goes on without it."""

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.readings import flag
from parkade_core.vehicle.verdict import Verdict, settle

_PERHAPS_METERED = ("cellular", "")  # what nobody knows may cost by the byte


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the vehicle may use its link; whether it can be heard, the gateway knows better."""
    own = facts.own or OwnFacts()
    if flag(facts.readings, vss.IS_CONNECTED, facts.rules.telemetry_stale_after) is False:
        judged = _closed(Reason.SILENT, "IsConnectivityAvailable is false", "wait for the link")
    elif facts.rules.links and own.link not in facts.rules.links:
        allowed = sorted(facts.rules.links)
        words = f"the link is {own.link or 'unknown'}, the pool allows {', '.join(allowed)}"
        judged = _closed(Reason.METERED_LINK, words, f"connect by {' or '.join(allowed)}")
    elif facts.own and own.link in _PERHAPS_METERED and not own.limits.allow_metered_link:
        kind = "metered" if own.link else "unknown, so perhaps metered"
        words = f"the link is {kind}, and the owner does not allow that"
        judged = _closed(Reason.METERED_LINK, words, "connect by wifi or ethernet, or say PARKADE_LINK")
    else:
        judged = Verdict(Condition.CONNECTIVITY_OK, True, None, f"the link is {own.link or 'there'}")
    return settle(judged, previous, now, hold)


def _closed(reason: Reason, message: str, remedy: str) -> Verdict:
    return Verdict(Condition.CONNECTIVITY_OK, False, reason, message, Effect.NO_SCHEDULE, remedy=remedy)
