"""PolicyAllows: every small policy of pool and owner that has nothing to do with the state of the vehicle itself.

What a pool wishes (hold, windows, places) forbids new work and lets what runs finish, as the design's table has it.
HoldAndDrain, the owner's word, and what may not be passed (the day's energy, the departure) stop work, too: a slot
that nobody stops works for as long as its batch has shards.
"""

from collections.abc import Callable
from typing import Final

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle import broken, departure, energy, places, throttle, windows
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.rules import PoolRules, StopPolicy
from parkade_core.vehicle.verdict import Verdict, settle

CORRECT_RULES: Final = "have whoever runs the pool correct its rules"
Policy = Callable[[Facts, OwnFacts], Objection | None]


def objections(facts: Facts) -> tuple[Objection, ...]:
    """Everything that is against work now; the gateway, which knows nothing of the vehicle's own, sees the pool's."""
    own = facts.own
    found = (_held(facts.rules), *(policy(facts, own) for policy in POLICIES if own is not None))
    return tuple(objection for objection in found if objection is not None)


def judge(facts: Facts, previous: Verdict | None, now: float, hold: float) -> Verdict:
    """Whether no policy objects. The first objection gives the reason, any of them may stop what runs.

    The cluster hears the verdict's message, so what only the owner may read stays in the objection.
    """
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
        first.told,
        Effect.NO_EXECUTE if first.stops else Effect.NO_SCHEDULE,
        recheck_at=recheck_at,
        remedy=first.told_remedy,
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


def _refused(facts: Facts, _own: OwnFacts) -> Objection | None:
    """The rules before them stay for what runs; they may allow what the new ones do not, so nothing new starts."""
    if not facts.refused_because:
        return None
    return Objection(Reason.UNKNOWN, facts.refused_because, CORRECT_RULES)


def _paused(_facts: Facts, own: OwnFacts) -> Objection | None:
    if not own.paused_because:
        return None
    remedy = "type `parkade-agent resume`"
    return Objection(Reason.OWNER_PAUSED, own.paused_because, remedy, stops=True, outward="the owner paused")


def _misread(_facts: Facts, own: OwnFacts) -> Objection | None:
    if not own.problem:
        return None
    outward = "the owner's files cannot be understood"
    return Objection(Reason.UNKNOWN, own.problem, "correct the owner's files", stops=True, outward=outward)


def _unwalled(facts: Facts, own: OwnFacts) -> Objection | None:
    """A wall may be missing where both the owner and the pool say so by its name."""
    allowed = own.limits.allowed_missing_layers & facts.rules.allowed_missing_layers
    missing = [layer for layer in own.missing_layers if layer not in allowed]
    if not missing:
        return None
    words = f"the sandbox lacks {', '.join(missing)} here"
    return Objection(
        Reason.SANDBOX_INCOMPLETE, words, "mend it, or have owner and pool allow each layer by its name"
    )


def _forgetful(_facts: Facts, own: OwnFacts) -> Objection | None:
    if not own.trouble:
        return None
    outward = "the vehicle's journal cannot be written, or its disk is full"
    remedy = "make room on the vehicle's disk, or mend one that is read-only or damaged"
    return Objection(Reason.NO_SPACE, own.trouble, remedy, outward=outward)


def _unkillable(_facts: Facts, own: OwnFacts) -> Objection | None:
    """Work stops, too: whoever holds one program for ever, as a broken disk does, will hold the next."""
    remedy = "restart the vehicle's computer, and look for a broken disk or driver"
    return Objection(Reason.UNKILLABLE, own.unkillable, remedy, stops=True) if own.unkillable else None


POLICIES: Final[tuple[Policy, ...]] = (
    _paused,
    _misread,
    windows.of_owner,
    places.of_owner,
    departure.objection,
    energy.objection,
    throttle.objection,
    broken.objection,
    _unkillable,
    _refused,
    windows.of_pool,
    places.of_pool,
    _unwalled,
    _forgetful,
)
"""What only the vehicle itself can judge, in the order in which its owner is told."""
