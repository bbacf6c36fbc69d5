"""Everything that one decision about a vehicle is made from."""

from dataclasses import dataclass
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
    `place` is the owner's name of where the vehicle stands (home, work, depot) and `link` the kind of its connection
    (wifi, ethernet, cellular); both are empty while unknown. `lanes` is how many the vehicle lends, each drawing
    `watts_per_lane` at most (0: nobody said), `wanted_cores` how many cores the owner's own programs lack, None
    while the load that the vehicle told is not believed.
    `paused_because`, `problem` and `trouble` are sentences, empty when it is not so: `problem` is why the owner's files
    cannot be understood, `trouble` what keeps the vehicle from remembering what it must (a full or read-only disk),
    `unkillable` which killed program does not end.
    `missing_layers` are layers of the sandbox that this vehicle lacks and that its settings do not allow.
    """

    limits: OwnerLimits = NO_LIMITS
    consent: Consent | None = None
    no_consent_because: str = "the owner was not asked yet"
    wall: datetime | None = None
    place: str = ""
    link: str = ""
    lanes: int = 1
    watts_per_lane: float = 0.0
    wanted_cores: int | None = 0
    energy_wh_today: float = 0.0
    paused_because: str = ""
    problem: str = ""
    missing_layers: tuple[str, ...] = ()
    trouble: str = ""
    unkillable: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A frozen snapshot: the vehicle's signals, its pool's rules, and in the vehicle itself what only it knows.

    `quarantined_because` is the cluster's word, told to the vehicle with the rules: why it is not trusted, or empty.
    `refused_because` is why the vehicle did not take the newest rules, empty when *rules* are the newest.
    """

    readings: Readings
    rules: PoolRules
    own: OwnFacts | None = None
    quarantined_because: str = ""
    refused_because: str = ""
