"""Everything that one decision about a vehicle is made from."""

from dataclasses import dataclass, field
from datetime import datetime

from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.readings import Readings
from parkade_core.vehicle.rules import PoolRules


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """What only the vehicle knows of itself; the gateway judges without it and is told the vehicle's verdicts.

    `wall` is the time of day in the vehicle's own time zone, None while its clock cannot be believed.
    `consent` is the owner's newest verified word, None when there is none; `no_consent_because` says why.
    `quarantined_because`, `paused_because` and `trouble` are sentences, empty when it is not so; `trouble` is what
    keeps the vehicle from remembering what it must (a full or read-only disk). `missing_layers` are layers of the
    sandbox that this vehicle lacks and that its owner did not allow by name.
    """

    limits: OwnerLimits = NO_LIMITS
    consent: Consent | None = None
    no_consent_because: str = "the owner was not asked yet"
    wall: datetime | None = None
    energy_wh_today: float = 0.0
    wanted_cores: int = 0
    paused_because: str = ""
    quarantined_because: str = ""
    missing_layers: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A frozen snapshot: the vehicle's signals, its pool's rules, and in the vehicle itself what only it knows."""

    readings: Readings
    rules: PoolRules
    own: OwnFacts | None = field(default=None)
