"""Places where work is allowed: those of the pool, of the owner's limits, and of the consent that a pool asked for."""

from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection


def of_pool(facts: Facts, own: OwnFacts) -> Objection | None:
    """The pool's places let what runs finish."""
    return _objection(facts.rules.places, own.place, "pool", stops=False)


def of_owner(facts: Facts, own: OwnFacts) -> Objection | None:
    """The owner's places, in the limits and in a consent that the pool asked for, end what runs."""
    agreed = (
        own.consent.places if own.consent is not None and facts.rules.consent is not None else frozenset()
    )
    return _objection(own.limits.places, own.place, "owner", stops=True) or _objection(
        agreed, own.place, "consent", stops=True
    )


def _objection(allowed: frozenset[str], place: str, whose: str, *, stops: bool) -> Objection | None:
    if not allowed or place in allowed:
        return None
    where = f"at {place}" if place else "at no place that its owner named"
    words = f"the vehicle is {where}, the {whose} allows {', '.join(sorted(allowed))}"
    outward = f"the vehicle is at no place that the {whose} allows"
    return Objection(Reason.OUTSIDE_PLACE, words, f"park at {' or '.join(sorted(allowed))}", stops, outward)
