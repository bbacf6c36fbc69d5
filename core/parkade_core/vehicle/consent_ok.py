"""ConsentCurrent: the owner agreed to what the pool asks, and has not taken it back. Without it, work stops at once."""

from parkade_api.wellknown import Condition, Effect
from parkade_core.vehicle.consent import changes_at, shortfall, unanswered
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.rules import ConsentTerms
from parkade_core.vehicle.verdict import Verdict, blank, earliest, settle


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether the owner's newest word covers the pool's terms. Only the vehicle knows; the gateway is told.

    The cluster hears the verdict's message, so what only the owner may read stays in the objection.
    """
    own, terms = facts.own, facts.rules.consent
    if own is None:
        return blank(Condition.CONSENT_CURRENT, "the vehicle has not told its owner's word", previous)
    recheck_at = _recheck_at(own, terms, now)
    judged = Verdict(Condition.CONSENT_CURRENT, True, None, _agreed(own, terms), recheck_at=recheck_at)
    for lacking in objections(facts):
        judged = Verdict(
            Condition.CONSENT_CURRENT,
            holds=False,
            reason=lacking.reason,
            message=lacking.told,
            effect=Effect.NO_EXECUTE,
            recheck_at=recheck_at,
            remedy=lacking.told_remedy,
        )
    return settle(judged, previous, now, hold)


def objections(facts: Facts) -> tuple[Objection, ...]:
    """What consent lacks, in the owner's words and in those for the cluster; at most one."""
    lacking = None if facts.own is None else _lacking(facts.own, facts.rules.consent)
    return () if lacking is None else (lacking,)


def _lacking(own: OwnFacts, terms: ConsentTerms | None) -> Objection | None:
    if own.consent is not None:
        return shortfall(own.consent, terms, own.wall)
    return None if terms is None else unanswered(terms, own.no_consent_because)


def _agreed(own: OwnFacts, terms: ConsentTerms | None) -> str:
    if terms is None or own.consent is None:
        return "the pool asks for no consent"
    return f"the owner agreed to terms {terms.terms_version} (number {own.consent.number})"


def _recheck_at(own: OwnFacts, terms: ConsentTerms | None, now: float) -> float | None:
    """When time alone may change the verdict, on the clock of *now*."""
    if own.consent is None or terms is None or own.wall is None:
        return None
    today = own.wall.timestamp()
    return earliest(now + moment - today for moment in changes_at(own.consent, terms) if moment > today)
