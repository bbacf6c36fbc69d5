"""The worst oscillations: whatever swings over its threshold, work opens and closes at most twice a minute."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import pi, sin

import pytest

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.assess import assess
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.guard import GuardState, decide, initial
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.verdict import Verdict
from support.facts import OWN, RULES, facts

Swing = Callable[[float], Facts]
LEAST_SECONDS = 250.0
RULES_FAST = replace(RULES, cooldown=0, max_energy_wh_per_day=500)

SWINGS: dict[str, Swing] = {
    "driving": lambda wave: facts(RULES_FAST, IS_MOVING=wave > 0),
    "parking signals lost": lambda wave: facts(RULES_FAST, SPEED=None if wave > 0 else 0),
    "plug": lambda wave: facts(RULES_FAST, PLUGGED_IN=wave > 0),
    "charge": lambda wave: facts(RULES_FAST, STATE_OF_CHARGE=62 + 4 * wave),
    "charge at the floor": lambda wave: facts(RULES_FAST, STATE_OF_CHARGE=60 + wave),
    "computer's heat": lambda wave: facts(RULES_FAST, COMPUTE_CELSIUS=75 + 12 * wave),
    "computer's heat, all bands": lambda wave: facts(RULES_FAST, COMPUTE_CELSIUS=70 + 6 * wave),
    "battery's heat": lambda wave: facts(RULES_FAST, BATTERY_CELSIUS=45 + 7 * wave),
    "battery's cold": lambda wave: facts(RULES_FAST, BATTERY_CELSIUS=3 * wave),
    "thermometer lost": lambda wave: facts(RULES_FAST, COMPUTE_CELSIUS=None if wave > 0 else 72),
    "charge lost": lambda wave: facts(RULES_FAST, STATE_OF_CHARGE=None if wave > 0 else 80),
    "cool thermometer lost": lambda wave: facts(RULES_FAST, BATTERY_CELSIUS=None if wave > 0 else 25),
    "link": lambda wave: facts(RULES_FAST, IS_CONNECTED=wave > 0),
    "metered": lambda wave: facts(RULES_FAST, replace(OWN, link="cellular" if wave > 0 else "wifi")),
    "place": lambda wave: facts(
        RULES_FAST,
        replace(OWN, place="home" if wave > 0 else "", limits=OwnerLimits(places=frozenset({"home"}))),
    ),
    "energy": lambda wave: facts(RULES_FAST, replace(OWN, energy_wh_today=500 + wave)),
    "disk": lambda wave: facts(RULES_FAST, replace(OWN, trouble="full" if wave > 0 else "")),
    "quarantine": lambda wave: replace(facts(RULES_FAST), quarantined_because="why" if wave > 0 else ""),
}


def swung(swing: Swing, period: float, step: float) -> Iterator[tuple[float, GuardState]]:
    """The guard's states while *swing* goes round once in *period* seconds, looked at every *step*."""
    state = initial(0.0)
    for number in range(int(max(LEAST_SECONDS, 3 * period) / step)):
        now = number * step
        state = decide(swing(sin(2 * pi * now / period)), state, now)
        yield now, state


def most_in_a_minute(moments: list[float]) -> int:
    """The most of *moments* that lie within any minute."""
    return max((sum(begin <= moment < begin + 59.999 for moment in moments) for begin in moments), default=0)


@pytest.mark.parametrize("period", [1.7, 10.0, 61.0, 130.0, 190.0])
@pytest.mark.parametrize("name", SWINGS)
def test_work_opens_and_closes_at_most_twice_a_minute(name: str, period: float) -> None:
    """A sine on every threshold, from faster than the guard's holds to slower; no verdict's effect changes oftener."""
    openings: list[float] = []
    changes: dict[Condition, list[float]] = {condition: [] for condition in Condition}
    before: GuardState | None = None
    for now, state in swung(SWINGS[name], period, min(period / 6, 4.0)):
        if before is not None:
            if state.may_start != before.may_start:
                openings.append(now)
            for old, new in zip(before.verdicts, state.verdicts, strict=True):
                if old.effect != new.effect:
                    changes[new.condition].append(now)
        before = state
    assert most_in_a_minute(openings) <= 2
    assert all(most_in_a_minute(moments) <= 2 for moments in changes.values())


def test_heat_throttles_before_it_stops() -> None:
    """F7: on the way up warm comes first and halves the lanes; hot stops, and only five degrees below it opens."""
    seen = []
    state = initial(0.0)
    for now, celsius in enumerate([60, 69, 71, 74, 76, 74, 71, 69, *[69] * 70]):
        state = decide(facts(RULES, COMPUTE_CELSIUS=float(celsius)), state, float(now))
        seen.append((state.may_start, state.lanes))
    assert seen[:5] == [(True, None), (True, None), (True, 2), (True, 2), (False, 2)]
    assert [opens for opens, _ in seen[5:67]] == [False] * 62
    assert seen[-1][0]


def test_a_link_that_flaps_changes_the_node_at_most_twice_a_minute() -> None:
    """F5: five seconds up and five down, for five minutes, as the gateway sees it."""
    rules, previous, moments = replace(RULES, telemetry_stale_after=3), None, []
    for now in range(300):
        connected = now % 10 < 5
        age = 0.0 if connected else now % 10 - 4.0
        seen = Facts(facts(rules, age=age).readings, rules)
        assessment = assess(seen, previous, float(now), connected=connected)
        if previous is not None and previous.taints != assessment.taints:
            moments.append(float(now))
        previous = assessment
    assert moments
    assert most_in_a_minute(moments) <= 2


@pytest.mark.parametrize(
    "loudest", [Condition.BATTERY_OK, Condition.CONSENT_CURRENT, Condition.POLICY_ALLOWS]
)
def test_a_vehicle_that_changes_its_mind_does_so_slowly(loudest: Condition) -> None:
    """What a vehicle tells of itself opens a Node a minute after it closed it, however it swings."""
    word = Verdict(loudest, False, Reason.NO_CONSENT, "no", Effect.NO_EXECUTE)
    previous, moments = None, []
    for now in range(400):
        relayed = {loudest: word if now % 7 < 3 else replace(word, holds=True, reason=None, effect=None)}
        seen = Facts(facts().readings, RULES)
        assessment = assess(seen, previous, float(now), connected=True, relayed=relayed)
        if previous is not None and previous.taints != assessment.taints:
            moments.append(float(now))
        previous = assessment
    assert moments
    assert most_in_a_minute(moments) <= 2
