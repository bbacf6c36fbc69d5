"""What a vehicle says of itself: as strict as it likes, in words that a Node can hold."""

from dataclasses import replace
from typing import Any

import pytest

from parkade_agent import wire
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.assess import assess
from parkade_core.vehicle.guard import decide, initial
from parkade_core.vehicle.readings import Value
from parkade_core.vehicle.verdict import Verdict
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.relay import relayed
from parkade_operator.gateway.statements import desire
from support.facts import OWN, facts


def told(
    condition: str, *, holds: bool = False, reason: str = "", message: str = "", effect: str = ""
) -> Verdict:
    """The one verdict that this judgement becomes."""
    judgement = pb.Judgement(condition=condition, holds=holds, reason=reason, message=message, effect=effect)
    return relayed([judgement])[Condition(condition)]


def test_a_word_against_work_is_passed_on() -> None:
    """Reason, message and effect are the vehicle's."""
    verdict = told("ConsentCurrent", reason="NoConsent", message="revoked", effect="NoExecute")
    expected = (Condition.CONSENT_CURRENT, False, Reason.NO_CONSENT, "revoked", Effect.NO_EXECUTE)
    seen = (verdict.condition, verdict.holds, verdict.reason, verdict.message, verdict.effect)
    assert seen == expected


def test_a_word_for_work_has_no_effect() -> None:
    """What holds has neither reason nor taint, whatever else is said."""
    verdict = told("PolicyAllows", holds=True, reason="TooHot", message="nothing objects", effect="NoExecute")
    assert (verdict.holds, verdict.reason, verdict.effect) == (True, None, None)


@pytest.mark.parametrize(
    ("reason", "effect"),
    [("", ""), ("BecauseISaySo", "Boom"), ("X" * 10_000, "NoSchedule\n"), ("None", "None")],
)
def test_what_is_not_understood_keeps_the_vehicle_closed(reason: str, effect: str) -> None:
    """A reason or an effect that nobody knows is Unknown: the Node keeps the taint that it was born with."""
    verdict = told("PolicyAllows", reason=reason, effect=effect)
    assert verdict.is_blank
    assert verdict.reason is Reason.UNKNOWN


def test_only_conditions_that_are_the_vehicles_to_judge_are_heard() -> None:
    """It cannot say whom the cluster trusts, nor invent conditions, nor say more than there is to say."""
    names = ["Trusted", "Ready", "", "x" * 100_000]
    assert relayed(pb.Judgement(condition=name, holds=True) for name in names) == {}
    flood = [pb.Judgement(condition="Ready")] * 16 + [pb.Judgement(condition="PolicyAllows")]
    assert relayed(flood) == {}


def test_words_are_bounded_and_plain() -> None:
    """A message of any length and of any characters becomes a line for kubectl."""
    message = told("PolicyAllows", message="a\x1b[2J\n" + "b" * 1000).message
    assert len(message) == 256
    assert message.isprintable()


@pytest.mark.parametrize(
    ("signals", "own", "message"),
    [
        ({"STATE_OF_CHARGE": 41}, {}, "Charge to 65 %"),
        ({"PLUGGED_IN": False}, {}, "Plug in"),
        ({}, {"link": "cellular"}, "Connect by ethernet or wifi"),
        ({}, {"paused_because": "we move house"}, "the owner paused"),
    ],
)
def test_the_node_says_what_would_change_it(
    signals: dict[str, Value], own: dict[str, Any], message: str
) -> None:
    """The vehicle's own remedy ends the sentence; where only the owner may know it, the reason stands alone."""
    seen = facts(own=replace(OWN, **own), **signals)
    told = wire.telemetry(seen.readings, decide(seen, initial(0), 0), [], 0.0).judgements
    assessment = assess(replace(seen, own=None), None, 0, connected=True, relayed=relayed(told))
    desired = desire(Identity("v1"), assessment, "pool", {}, (), is_held=False)
    (words,) = (words for _, status, _, words in desired.verdicts if status == "False")
    assert words.endswith(message)
