"""The pool's rules for one vehicle, as the gateway and the guard in the vehicle both apply them."""

from dataclasses import dataclass
from enum import StrEnum


class Charging(StrEnum):
    """The pool's plug rule (`spec.eligibility.charging`)."""

    REQUIRED = "Required"
    PREFERRED_ABOVE_FLOOR = "PreferredAboveFloor"
    NOT_REQUIRED = "NotRequired"


class StopPolicy(StrEnum):
    """Whether the pool takes work at all (`spec.stopPolicy`): Hold lets what runs finish, HoldAndDrain does not."""

    NONE = "None"
    HOLD = "Hold"
    HOLD_AND_DRAIN = "HoldAndDrain"


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which work is allowed or denied: from each moment of the cron *schedule* for *duration* seconds.

    *time_zone* is an IANA name; empty means the vehicle's own.
    """

    schedule: str
    duration: float
    time_zone: str = ""
    allows: bool = True


@dataclass(frozen=True, slots=True)
class ConsentTerms:
    """What the pool asks of an owner (`spec.consent`); *renew_after* is in seconds, 0 for never.

    *policy_ref* is where the owner reads the terms, empty when the pool does not say.
    """

    terms_version: str
    scopes: frozenset[str] = frozenset()
    renew_after: float = 0.0
    policy_ref: str = ""


@dataclass(frozen=True, slots=True)
class PoolRules:
    """When a vehicle of this pool may work; carried by `fleet.v1.Policy`. Durations are seconds.

    An empty set of *links*, *places* or *windows* asks for none in particular. *generation* counts the versions of the
    pool *uid*, which is not that of a pool of the same name that was deleted.
    """

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
    links: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    respect_schedule: bool = False
    reserve_state_of_charge_percent: float = 0.0
    quiet_before: float = 0.0
    max_energy_wh_per_day: float | None = None
    stop_policy: StopPolicy = StopPolicy.NONE
    autonomy: float = 3600.0
    max_buffered_shards: int = 64
    require_signed_bundles: bool = False
    allowed_missing_layers: frozenset[str] = frozenset()
    consent: ConsentTerms | None = None
    uid: str = ""
