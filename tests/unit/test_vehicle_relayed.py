"""Gateway and vehicle: whose word counts on the Node, and what a vehicle that says nothing is worth."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from parkade_api.wellknown import Condition, Effect, Reason, Taint
from parkade_core.vehicle.assess import Assessment, assess
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.guard import decide, initial
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.rules import ConsentTerms, StopPolicy, Window
from parkade_core.vehicle.verdict import Verdict
from support.facts import OWN, RULES, facts, readings

NIGHT = Window("0 22 * * *", 8 * 3600)


def told(own: Mapping[str, Any], **rules: Any) -> dict[Condition, Verdict]:
    """What the vehicle itself judges, as the gateway is told it: without what it remembers."""
    state = decide(facts(replace(RULES, **rules), replace(OWN, **own)), initial(0), 0)
    return {
        verdict.condition: Verdict(
            verdict.condition, verdict.holds, verdict.reason, verdict.message, verdict.effect
        )
        for verdict in state.verdicts
    }


def seen(
    relayed: Mapping[Condition, Verdict], before: Assessment | None = None, now: float = 0, **rules: Any
) -> Assessment:
    """The gateway's assessment of a vehicle with good signals."""
    return assess(facts(replace(RULES, **rules), None), before, now, connected=True, relayed=relayed)


@pytest.mark.parametrize(
    ("own", "rules", "reason", "taint"),
    [
        (
            {"paused_because": "the owner paused"},
            {},
            Reason.OWNER_PAUSED,
            (Taint.POLICY, "", Effect.NO_EXECUTE),
        ),
        ({}, {"windows": (NIGHT,)}, Reason.OUTSIDE_WINDOW, (Taint.POLICY, "", Effect.NO_SCHEDULE)),
        ({}, {"consent": ConsentTerms("3")}, Reason.NO_CONSENT, (Taint.CONSENT, "", Effect.NO_EXECUTE)),
        ({"link": "cellular"}, {}, Reason.METERED_LINK, (Taint.CONNECTIVITY, "metered", Effect.NO_SCHEDULE)),
        (
            {"limits": OwnerLimits(min_state_of_charge_percent=90)},
            {},
            Reason.LOW_BATTERY,
            (Taint.BATTERY, "", Effect.NO_EXECUTE),
        ),
        (
            {"limits": OwnerLimits(min_battery_celsius=30)},
            {},
            Reason.TOO_COLD,
            (Taint.THERMAL, "cold", Effect.NO_EXECUTE),
        ),
    ],
)
def test_the_stricter_word_stands_on_the_node(
    own: dict[str, Any], rules: dict[str, Any], reason: Reason, taint: tuple[Taint, str, Effect]
) -> None:
    """What only the vehicle knows, and an owner's tighter caps, close the Node with the vehicle's own reason."""
    assessment = seen(told(own, **rules), **rules)
    assert (assessment.reasons, assessment.taints, assessment.eligible) == ((reason,), (taint,), False)


@pytest.mark.parametrize(
    "rules",
    [
        {"windows": (NIGHT,)},
        {"places": frozenset({"home"})},
        {"respect_schedule": True},
        {"max_energy_wh_per_day": 500},
        {"consent": ConsentTerms("3")},
    ],
)
def test_a_vehicle_that_does_not_tell_stays_closed(rules: dict[str, Any]) -> None:
    """Where the pool asks for what only the vehicle knows; it is Unknown, and nothing that runs is evicted."""
    assessment = seen({}, **rules)
    assert assessment.taints == ((Taint.UNKNOWN, "", Effect.NO_SCHEDULE),)
    assert not assessment.eligible
    assert seen({}).eligible


@pytest.mark.parametrize(
    ("policy", "effect"),
    [(StopPolicy.HOLD, Effect.NO_SCHEDULE), (StopPolicy.HOLD_AND_DRAIN, Effect.NO_EXECUTE)],
)
def test_a_pool_is_stopped_without_asking_the_vehicle(policy: StopPolicy, effect: Effect) -> None:
    """Also when the vehicle says that all is well."""
    assessment = seen(told({}), stop_policy=policy)
    assert assessment.taints == ((Taint.POLICY, "", effect),)
    assert assessment.reasons == (Reason.POOL_ON_HOLD,)


def test_an_owners_pause_counts_in_a_pool_on_hold() -> None:
    """The gateway's own no is gentler than the vehicle's: what still runs is evicted, with the vehicle's reason."""
    assessment = seen(told({"paused_because": "the owner paused"}), stop_policy=StopPolicy.HOLD)
    assert assessment.taints == ((Taint.POLICY, "", Effect.NO_EXECUTE),)
    assert assessment.reasons == (Reason.OWNER_PAUSED,)


def test_quarantine_closes_the_node_and_stops_nothing() -> None:
    """Whatever the vehicle says of itself, and also while it is silent."""
    suspected = Facts(readings(), RULES, quarantined_because="forged results")
    for connected in (True, False):
        assessment = assess(suspected, None, 0, connected=connected, relayed=told({}))
        assert (Taint.QUARANTINE, "", Effect.NO_SCHEDULE) in assessment.taints


def test_silence_keeps_the_vehicles_last_word() -> None:
    """A vehicle in a tunnel does not get its owner's consent back by being silent."""
    before = seen(told({"paused_because": "the owner paused"}))
    silent = assess(Facts(readings(age=500), RULES), before, 500, connected=False)
    assert silent.reasons == (Reason.SILENT, Reason.OWNER_PAUSED)


def test_the_gateway_remembers_what_the_vehicle_does_not_say() -> None:
    """While the vehicle's word counts, dead bands and the time in park go on by the gateway's own memory."""
    rules = replace(RULES, parked_for=120)
    word = told({"limits": OwnerLimits(min_state_of_charge_percent=90)})
    closed = {
        **word,
        Condition.VEHICLE_PARKED: replace(word[Condition.BATTERY_OK], condition=Condition.VEHICLE_PARKED),
    }
    first = assess(Facts(readings(), rules), None, 0, connected=True)
    parked = assess(Facts(readings(), rules), first, 150, connected=True, relayed=closed)
    assert parked.verdict(Condition.VEHICLE_PARKED).reason is Reason.LOW_BATTERY
    assert parked.verdict(Condition.VEHICLE_PARKED).clear_since == 0
    again = assess(Facts(readings(), rules), parked, 211, connected=True, relayed=told({}))
    assert again.eligible


def test_the_vehicle_is_as_strict_as_the_gateway() -> None:
    """Under the same rules and signals both come to the same verdicts."""
    for changes in (
        {},
        {"SPEED": 3},
        {"PLUGGED_IN": False},
        {"STATE_OF_CHARGE": 41},
        {"BATTERY_CELSIUS": -1},
    ):
        of_vehicle = decide(facts(**changes), initial(0), 0).verdicts
        of_gateway = assess(facts(own=None, **changes), None, 0, connected=True).verdicts
        assert [(v.condition, v.holds, v.effect) for v in of_vehicle] == [
            (v.condition, v.holds, v.effect) for v in of_gateway
        ]
