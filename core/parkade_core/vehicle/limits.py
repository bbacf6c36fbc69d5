"""The owner's hard caps: a local file of the vehicle that nothing remote lifts. The tighter of cap and rule counts."""

from dataclasses import dataclass, field
from typing import Final

from parkade_core.vehicle.rules import Window


@dataclass(frozen=True, slots=True)
class OwnerLimits:
    """What the owner allows at most; None asks for nothing. *hours* and *places* empty: always, everywhere.

    `allowed_missing_layers` are layers of the sandbox that the owner knows to be missing and accepts.
    """

    min_state_of_charge_percent: float | None = None
    max_compute_celsius: float | None = None
    max_battery_celsius: float | None = None
    min_battery_celsius: float | None = None
    max_energy_wh_per_day: float | None = None
    max_power_watts: float | None = None
    max_lanes: int | None = None
    hours: tuple[Window, ...] = ()
    places: frozenset[str] = frozenset()
    allow_metered_link: bool = False
    allowed_missing_layers: frozenset[str] = field(default=frozenset())


NO_LIMITS: Final = OwnerLimits()
