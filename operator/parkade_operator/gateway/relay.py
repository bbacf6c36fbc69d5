"""What a vehicle says of itself, as far as it can stand on its Node: known conditions, and words of bounded length."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.shown import shown
from parkade_core.vehicle.assess import Relayed
from parkade_core.vehicle.verdict import Verdict

_MOST_JUDGEMENTS: Final = 16
_MOST_MESSAGE: Final = 256
_TOLD: Final = frozenset(Condition) - {Condition.TRUSTED}  # whom the cluster trusts is the cluster's own word


def relayed(judgements: Iterable[pb.Judgement]) -> Relayed:
    """The verdicts in one telemetry message; of two on one condition the later counts."""
    return {
        verdict.condition: verdict
        for judgement in islice(judgements, _MOST_JUDGEMENTS)
        if (verdict := _verdict(judgement)) is not None
    }


def _verdict(judgement: pb.Judgement) -> Verdict | None:
    if judgement.condition not in _TOLD:
        return None
    condition, message = Condition(judgement.condition), shown(judgement.message, _MOST_MESSAGE)
    remedy = shown(judgement.remedy, _MOST_MESSAGE)
    if judgement.holds:
        return Verdict(condition, holds=True, reason=None, message=message, remedy=remedy)
    reason = Reason(judgement.reason) if judgement.reason in set(Reason) else Reason.UNKNOWN
    # Without an effect that is known nothing is known: the Node stays closed as it is born.
    effect = Effect(judgement.effect) if judgement.effect in set(Effect) else None
    return Verdict(condition, holds=False, reason=reason, message=message, effect=effect, remedy=remedy)
