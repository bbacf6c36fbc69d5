"""The day's energy: the tightest of the pool's cap, the owner's, and the share of the pool's that consent allows."""

from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.usage import shown_energy


def objection(facts: Facts, own: OwnFacts) -> Objection | None:
    """A cap is a number that is not passed: what runs stops when it is reached."""
    caps = _caps(facts, own)
    if not caps:
        return None
    cap, whose = min(caps)
    if own.energy_wh_today < cap:
        return None
    words = f"{shown_energy(own.energy_wh_today)} were used today, {whose} allows {cap:g} Wh"
    return Objection(Reason.ENERGY_USED_UP, words, "wait until midnight", stops=True)


def _caps(facts: Facts, own: OwnFacts) -> list[tuple[float, str]]:
    caps = []
    if (of_pool := facts.rules.max_energy_wh_per_day) is not None:
        caps.append((of_pool, "the pool"))
        if own.consent is not None and facts.rules.consent is not None:
            caps.append((of_pool * own.consent.energy_share_percent / 100, "the consent"))
    if (of_owner := own.limits.max_energy_wh_per_day) is not None:
        caps.append((of_owner, "the owner"))
    return caps
