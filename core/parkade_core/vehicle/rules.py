"""The pool's rules for one vehicle, as the gateway and the guard in the vehicle both apply them."""

from dataclasses import dataclass
from enum import StrEnum


class Charging(StrEnum):
    """The pool's plug rule (`spec.eligibility.charging`)."""

    REQUIRED = "Required"
    PREFERRED_ABOVE_FLOOR = "PreferredAboveFloor"
    NOT_REQUIRED = "NotRequired"


@dataclass(frozen=True, slots=True)
class PoolRules:
    """When a vehicle of this pool may work; carried by `fleet.v1.Policy`. Durations are seconds."""

    pool: str
    generation: int
    min_state_of_charge_percent: float
    resume_state_of_charge_percent: float
    charging: Charging
    max_compute_celsius: float
    max_battery_celsius: float
    parked_for: float
    cooldown: float
    telemetry_stale_after: float
    driver_return_grace: float
