"""How many lanes work may use now: fewer at once when something asks for it, back one by one."""

from dataclasses import dataclass
from typing import Final

from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.verdict import MINIMUM_HOLD

BESIDE_LANES: Final = 0.5
"""Cores for what works beside the lanes: the runner, and what hands records to lanes and takes their lines."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is allowed, why no more (empty: all are), since when, and when one more may come."""

    count: int
    because: str = ""
    changed_at: float | None = None
    recheck_at: float | None = None


def allow(own: OwnFacts, previous: Lanes | None, now: float, *, is_warm: bool) -> Lanes:
    """At least one lane, which costs the owner's programs nothing: it runs when nothing else wants the core."""
    wanted, because = min(_wishes(own, is_warm=is_warm), key=lambda wish: wish[0])
    wanted = max(1, wanted)
    before = previous or Lanes(own.lanes)
    if wanted == before.count:
        return Lanes(wanted, because, before.changed_at)
    more_at = now if before.changed_at is None else before.changed_at + MINIMUM_HOLD
    if wanted > before.count and now < more_at:
        return Lanes(before.count, because or "lanes come back one a minute", before.changed_at, more_at)
    count = min(wanted, before.count + 1)
    if count == wanted:
        return Lanes(count, because, now)
    return Lanes(count, because or "lanes come back one a minute", now, now + MINIMUM_HOLD)


def objection(_facts: Facts, own: OwnFacts) -> Objection | None:
    """The owner's power is a number that is not passed: where it is less than a lane's, none runs."""
    most = own.limits.max_power_watts
    if most is None or most >= own.watts_per_lane:
        return None
    words = f"the owner allows {most:g} W, and one lane draws {own.watts_per_lane:g} W"
    return Objection(
        Reason.POWER_LIMITED, words, f"allow {own.watts_per_lane:g} W, or take the limit away", stops=True
    )


def _wishes(own: OwnFacts, *, is_warm: bool) -> list[tuple[int, str]]:
    """Numbers of lanes, each with who wants no more."""
    wishes = [(own.lanes, "")]
    if own.limits.max_lanes is not None:
        wishes.append((own.limits.max_lanes, f"the owner allows {own.limits.max_lanes}"))
    if own.limits.max_power_watts is not None and own.watts_per_lane > 0:
        most = own.limits.max_power_watts
        wishes.append((int(most / own.watts_per_lane), f"the owner allows {most:g} W"))
    if own.wanted_cores is None:
        wishes.append((1, "it is not known what the owner's programs want"))
    elif own.wanted_cores > 0:
        wishes.append((own.lanes - own.wanted_cores, f"the owner's programs want {own.wanted_cores} cores"))
    if is_warm:
        wishes.append((own.lanes // 2, "the vehicle is warm"))
    return wishes


def wanted_cores(load_percent: float, cores: int, ours: float, lent: int) -> int:
    """How many of the *lent* cores the owner's own programs lack.

    *load_percent* is how busy all *cores* are, *ours* of them (a number of cores) with our work. What others use
    beyond the cores that were never lent is wanted back, from half a core on.
    """
    others = load_percent / 100 * cores - ours
    lacking = others - (cores - lent)
    return min(lent, max(0, int(lacking + 0.5)))


def most_cores(share: float, lent: int, left: int | None) -> float:
    """How many cores all programs of a slot may use on average, whatever lanes they say they have.

    *share* is what the vehicle lends in cores, *lent* in lanes; *left* is how many of these the guard leaves, None for
    all. A share of a core for each lane, or more, asks for nothing beyond the lanes.
    """
    most = (lent if left is None else min(left, lent)) + BESIDE_LANES
    return min(share, most) if share < lent else most
