"""ConnectivityOK in the vehicle: the link is there, and one that pool and owner allow. What runs goes on without it."""

from collections.abc import Iterable
from dataclasses import replace

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.readings import flag, stale_at, why_missing
from parkade_core.vehicle.verdict import Verdict, settle

_UNKNOWN = "unknown (PARKADE_LINK is not set)"
_UNMETERED = ("ethernet", "wifi")


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the vehicle may use its link; whether it can be heard, the gateway knows better.

    A link that nobody knows may cost by the byte. A vehicle that never tells of its connection works; one that told and
    is not believed any more takes no new work.
    """
    own, of_pool = facts.own or OwnFacts(), sorted(facts.rules.links)
    kind = own.link or _UNKNOWN
    path, stale_after = vss.IS_CONNECTED, facts.rules.telemetry_stale_after
    if path in facts.readings and (words := why_missing(facts.readings, path, stale_after)):
        judged = _closed(Reason.UNKNOWN, words, "wait for the signal")
    elif flag(facts.readings, path, stale_after) is False:
        judged = _closed(Reason.SILENT, "IsConnectivityAvailable is false", "wait for the link")
    elif of_pool and own.link not in of_pool:
        words = f"the link is {kind}, the pool allows {', '.join(of_pool)}"
        judged = _closed(Reason.METERED_LINK, words, _remedy(own.link, of_pool))
    elif facts.own and may_cost(own):
        words = f"the link is {kind} and may cost by the byte, the owner does not allow that"
        judged = _closed(Reason.METERED_LINK, words, _remedy(own.link, _UNMETERED))
    else:
        judged = Verdict(Condition.CONNECTIVITY_OK, True, None, f"the link is {own.link or 'there'}")
    judged = replace(judged, recheck_at=stale_at(facts.readings, (path,), stale_after, now))
    return settle(judged, previous, now, hold)


def may_cost(own: OwnFacts) -> bool:
    """Whether the link may cost by the byte and the owner does not allow that: nothing of work is to use it."""
    return own.link not in _UNMETERED and not own.limits.allow_metered_link


def _remedy(link: str, allowed: Iterable[str]) -> str:
    return f"connect by {' or '.join(allowed)}" if link else "set PARKADE_LINK to what the link is"


def _closed(reason: Reason, message: str, remedy: str) -> Verdict:
    return Verdict(Condition.CONNECTIVITY_OK, False, reason, message, Effect.NO_SCHEDULE, remedy=remedy)
