"""What an owner reads of the guard's decision."""

from dataclasses import replace
from typing import Any

import pytest

from parkade_api.wellknown import Reason
from parkade_core.vehicle.explain import lines
from parkade_core.vehicle.guard import decide, initial
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.rules import ConsentTerms, StopPolicy
from parkade_core.vehicle.usage import shown_energy
from support.facts import OWN, RULES, facts


def explained(own: dict[str, Any], rules: dict[str, Any], **signals: Any) -> tuple[str, ...]:
    """The lines of a vehicle that was good a moment ago, after some facts changed."""
    now = replace(OWN, **own)
    before = decide(facts(), initial(0), 1)
    return lines(decide(facts(replace(RULES, **rules), now, **signals), before, 2), now)


def test_a_vehicle_that_works_says_so() -> None:
    """One line, its lanes and its energy."""
    assert explained({"energy_wh_today": 12.34}, {}) == (
        "Ready: work may start and run.",
        "Rules: pool home-garage, generation 1.",
        "Lanes: 4 of 4.",
        "Energy used for work today: 12.3 Wh.",
    )


@pytest.mark.parametrize(
    ("wh", "words"),
    [
        (0, "0 Wh"),
        (0.00004, "0.04 mWh"),
        (0.0123, "12.3 mWh"),
        (0.4567, "457 mWh"),
        (1, "1.00 Wh"),
        (12.34, "12.3 Wh"),
        (1234.5, "1234 Wh"),
    ],
)
def test_little_energy_is_told_in_figures_that_say_something(wh: float, words: str) -> None:
    """Three digits that count."""
    assert shown_energy(wh) == words


def test_reasons_come_in_order_with_what_would_change_them() -> None:
    """First what stops work, then what forbids new work, then what makes it less; each with its number."""
    found = explained(
        {"paused_because": "the owner paused: guests", "limits": OwnerLimits(max_lanes=1)},
        {"stop_policy": StopPolicy.HOLD},
        STATE_OF_CHARGE=41,
        PLUGGED_IN=False,
        COMPUTE_CELSIUS=72,
    )
    assert found == (
        "Stopped: work is frozen and ends in a moment.",
        "1. BatteryOK (LowBattery): StateOfCharge 41 % is under the floor of 60 %. Charge to 65 %.",
        "2. PolicyAllows (OwnerPaused): the owner paused: guests. Type `parkade-agent resume`.",
        "3. ChargingOK (NotCharging): the charging cable is not connected. Plug in.",
        "4. PolicyAllows (PoolOnHold): spec.stopPolicy of pool home-garage is Hold. Wait for whoever runs the pool.",
        "5. ThermalOK (TooHot): computer 72 C is within the limit of 75 C. Let the computer cool to 70 C.",
        "Rules: pool home-garage, generation 1.",
        "Lanes: 1 of 4: the owner allows 1.",
        "Energy used for work today: 0 Wh.",
    )


def test_a_vehicle_without_a_pool_says_so() -> None:
    """Before the first rules, and after the last."""
    state = initial(0.0)
    headline, cause, *_ = lines(state, OWN)
    assert headline == "Not earning: nothing new starts, what runs may finish."
    assert cause.startswith("1. PolicyAllows (Unknown): no pool rules yet. Wait for the gateway")


@pytest.mark.parametrize(
    ("own", "rules", "signals", "reason", "remedy"),
    [
        ({}, {"consent": ConsentTerms("3")}, {}, Reason.NO_CONSENT, "parkade-agent consent grant --terms 3"),
        ({}, {}, {"STATE_OF_CHARGE": 41}, Reason.LOW_BATTERY, "charge to 65 %"),
        ({}, {}, {"PLUGGED_IN": False}, Reason.NOT_CHARGING, "plug in"),
        ({}, {}, {"SPEED": 3}, Reason.DRIVING, "park the vehicle"),
        ({}, {}, {"IS_MOVING": None}, Reason.DRIVING, "wait for the signal"),
        ({}, {}, {"COMPUTE_CELSIUS": None}, Reason.UNKNOWN, "wait for the signal"),
    ],
)
def test_every_reason_has_a_remedy(
    own: dict[str, Any], rules: dict[str, Any], signals: dict[str, Any], reason: Reason, remedy: str
) -> None:
    """What would change it, as a person can do it."""
    state = decide(facts(replace(RULES, **rules), replace(OWN, **own), **signals), initial(0), 1)
    (cause,) = state.causes
    assert cause.reason is reason
    assert remedy in cause.remedy


def test_a_hold_says_for_how_long() -> None:
    """What is good again waits out the minimum hold, and the owner reads how long."""
    closed = decide(facts(PLUGGED_IN=False), decide(facts(), initial(0), 1), 2)
    (cause,) = decide(facts(), closed, 30).causes
    assert (cause.reason, cause.remedy) == (Reason.NOT_CHARGING, "wait 32 s")
