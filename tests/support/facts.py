"""Facts of a vehicle that may work, to be changed one by one in tests of the guard."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from parkade_api import vss
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import Charging, PoolRules

RULES = PoolRules(
    pool="home-garage",
    generation=1,
    min_state_of_charge_percent=60,
    resume_state_of_charge_percent=65,
    charging=Charging.REQUIRED,
    max_compute_celsius=75,
    max_battery_celsius=45,
    parked_for=0,
    cooldown=60,
    telemetry_stale_after=30,
    driver_return_grace=1,
)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday
OWN = OwnFacts(wall=NOON, place="home", link="wifi", lanes=4)
GOOD: Mapping[str, Value] = {
    vss.SPEED: 0,
    vss.IS_MOVING: False,
    vss.PARKING_BRAKE: True,
    vss.LOW_VOLTAGE_STATE: "LOCK",
    vss.STATE_OF_CHARGE: 80,
    vss.PLUGGED_IN: True,
    vss.BATTERY_CELSIUS: 25,
    vss.COMPUTE_CELSIUS: 40,
}


def readings(age: float = 0.0, **changes: Value | None) -> dict[str, Reading]:
    """Readings of a parked, plugged, cool vehicle with some changed, by their names in `vss`; None leaves one out."""
    values = {**GOOD, **{getattr(vss, name): value for name, value in changes.items()}}
    return {path: Reading(value, age) for path, value in values.items() if value is not None}


def facts(rules: PoolRules = RULES, own: OwnFacts | None = OWN, **signals: Any) -> Facts:
    """Facts under *rules* with some signals changed."""
    return Facts(readings(**signals), rules, own)
