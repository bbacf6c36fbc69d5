"""PolicyAllows: every small policy of pool and owner that has nothing to do with the state of the vehicle itself.

What a pool wishes (hold, windows, places) forbids new work and lets what runs finish, as the design's table has it.
What drains, what the owner says, and what is a number that may not be passed (energy, departure) stops work, too:
a slot that nobody stops works for as long as its batch has shards.
"""

from collections.abc import Callable
from typing import Final

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.rules import PoolRules, StopPolicy
from parkade_core.vehicle.verdict import Verdict, settle

Policy = Callable[[Facts, OwnFacts], Objection | None]

POLICIES: Final[tuple[Policy, ...]] = ()
"""What only the vehicle itself can judge, in the order in which its owner is told."""


def objections(facts: Facts) -> tuple[Objection, ...]:
    """Everything that is against work now; the gateway, which knows nothing of the vehicle's own, sees the pool's."""
    own = facts.own
    found = (_held(facts.rules), *(policy(facts, own) for policy in POLICIES if own is not None))
    return tuple(objection for objection in found if objection is not None)


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether no policy objects. The first objection gives the reason, any of them may stop what runs."""
    found = objections(facts)
    recheck_at = None if facts.own is None else now + _to_next_minute(facts.own)
    if not found:
        judged = Verdict(Condition.POLICY_ALLOWS, True, None, "no policy objects", recheck_at=recheck_at)
        return settle(judged, previous, now, hold)
    first = next((objection for objection in found if objection.stops), found[0])
    judged = Verdict(
        Condition.POLICY_ALLOWS,
        False,
        first.reason,
        first.message,
        Effect.NO_EXECUTE if first.stops else Effect.NO_SCHEDULE,
        recheck_at=recheck_at,
        remedy=first.remedy,
    )
    return settle(judged, previous, now, hold)


def _to_next_minute(own: OwnFacts) -> float:
    """Seconds until windows may open or close: cron counts minutes, and the day's energy needs no finer look."""
    return 60.0 if own.wall is None else 60.0 - own.wall.second - own.wall.microsecond / 1e6


def _held(rules: PoolRules) -> Objection | None:
    if rules.stop_policy is StopPolicy.NONE:
        return None
    return Objection(
        Reason.POOL_ON_HOLD,
        f"spec.stopPolicy of pool {rules.pool} is {rules.stop_policy}",
        "wait for whoever runs the pool",
        stops=rules.stop_policy is StopPolicy.HOLD_AND_DRAIN,
    )
