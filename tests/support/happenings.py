"""What may happen to a vehicle: pools, limits, signals and the rest, for tests that draw of them in any order."""

from dataclasses import replace
from itertools import permutations

from parkade_api import vss
from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.readings import Value
from parkade_core.vehicle.rules import Charging, PoolRules, StopPolicy
from support.facts import RULES
from support.situation import NIGHT, TERMS

POOLS: list[PoolRules | None] = [
    None,
    RULES,
    replace(RULES, consent=TERMS, parked_for=90, max_energy_wh_per_day=500),
    replace(
        RULES,
        charging=Charging.NOT_REQUIRED,
        cooldown=5,
        reserve_state_of_charge_percent=75,
        max_energy_wh_per_day=500,
    ),
    replace(RULES, windows=(NIGHT,), places=frozenset({"home"}), links=frozenset({"wifi"})),
    replace(RULES, parked_for=70, cooldown=80),
    replace(RULES, resume_state_of_charge_percent=0, reserve_state_of_charge_percent=70),
    replace(RULES, stop_policy=StopPolicy.HOLD),
    replace(RULES, stop_policy=StopPolicy.HOLD_AND_DRAIN),
]
LIMITS = [
    NO_LIMITS,
    OwnerLimits(min_state_of_charge_percent=70, max_lanes=2),
    OwnerLimits(max_compute_celsius=60, max_battery_celsius=35, min_battery_celsius=10),
    OwnerLimits(hours=(NIGHT,)),
    OwnerLimits(places=frozenset({"home", "depot"})),
    OwnerLimits(max_energy_wh_per_day=300, allow_metered_link=True),
    OwnerLimits(max_power_watts=25),
    OwnerLimits(max_power_watts=5),
]
SIGNALS: dict[str, list[Value | None]] = {
    vss.SPEED: [0, 30.0, float("nan"), None],
    vss.IS_MOVING: [True, None],
    vss.PARKING_BRAKE: [False, "on"],
    vss.PARK_LOCK: [True, False],
    vss.LOW_VOLTAGE_STATE: ["OFF", "ACC", "START"],
    vss.STATE_OF_CHARGE: [80, 72, 62, 62, 55, 140, None],
    vss.PLUGGED_IN: [True, False, None],
    vss.BATTERY_CELSIUS: [25, 36, 42, 46, 46, 5, -3, None],
    vss.HOTTEST_CELL_CELSIUS: [30, 46],
    vss.COLDEST_CELL_CELSIUS: [20, -1],
    vss.COMPUTE_CELSIUS: [40, 62, 72, 80, -30, None, None],
    vss.IS_CONNECTED: [True, False, "yes"],
    vss.IS_BROKEN_DOWN: [True, False],
}
WAVES = [
    (path, first, then)
    for path, values in SIGNALS.items()
    if path == vss.STATE_OF_CHARGE or "Temperature" in path
    for first, then in permutations(values, 2)
]
"""A path with a dead band, and two of its values after one another."""
OTHERS: dict[str, list[object]] = {
    "paused_because": ["", "the owner paused"],
    "problem": ["", "limits.json: not JSON"],
    "trouble": ["", "the disk is full"],
    "unkillable": ["", "process 7 does not end"],
    "missing_layers": [(), ("seccomp",)],
    "place": ["home", "work", ""],
    "link": ["wifi", "cellular", ""],
    "wanted_cores": [0, 2, None],
    "energy_wh_today": [0.0, 310.0, 550.0],
}
CONSENTS = ["none", "granted", "granted", "home only", "old terms", "expired", "revoked"]
PAUSES = [0.0, 0.5, 0.5, 7.0, 40.0, 61.0]
"""Seconds; binary fractions, so that sums of them are exact."""
