"""The pool and the owner that are simulated: VehiclePool's own defaults, and everything that a pool may ask besides."""

from datetime import datetime
from typing import Final

from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.rules import Charging, ConsentTerms, PoolRules

RULES: Final = PoolRules(
    pool="simulated",
    generation=1,
    min_state_of_charge_percent=50,
    resume_state_of_charge_percent=55,
    charging=Charging.REQUIRED,
    max_compute_celsius=75,
    max_battery_celsius=45,
    parked_for=600,
    cooldown=120,
    telemetry_stale_after=120,  # a recording has one step a minute
    driver_return_grace=1,
    links=frozenset({"wifi"}),
    places=frozenset({"home"}),
    respect_schedule=True,
    reserve_state_of_charge_percent=60,
    quiet_before=900,
    max_energy_wh_per_day=3000,
    consent=ConsentTerms("1", frozenset({"public-data"})),
)


def owners_word(begins: datetime) -> Consent:
    """A consent to the pool's terms that covers the whole simulation."""
    return Consent(
        number=1,
        vehicle="simulated",
        terms_version="1",
        scopes=frozenset({"public-data"}),
        granted_at=begins.timestamp() - 1,
        expires_at=begins.timestamp() + 2 * 365 * 86_400,
    )
