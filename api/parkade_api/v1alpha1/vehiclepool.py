"""VehiclePool: which vehicles belong together and under which rules they may work."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from parkade_api.v1alpha1.common import (
    Duration,
    LabelSelector,
    Latency,
    Model,
    ObjectMeta,
    Percent,
    cel,
    swift,
    text,
    within,
)
from parkade_api.v1alpha1.vehiclepool_status import VehiclePoolStatus

_CRON = "^[0-9*/,-]+ [0-9*/,-]+ [0-9*/,L-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,#L-]+$"
_TIME_ZONE = "^([A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2})?$"
_TERMS = "^[A-Za-z0-9][A-Za-z0-9._-]*$"

Schedule = Annotated[
    str,
    Field(pattern=_CRON, max_length=128),
    text(
        128,
        f"self.matches('{_CRON}')",
        "write the five fields of cron: minute, hour, day of the month, month, day of the week, as in 0 22 * * 1-5",
    ),
]
TimeZone = Annotated[
    str,
    Field(pattern=_TIME_ZONE, max_length=64),
    text(
        64,
        f"self.matches('{_TIME_ZONE}')",
        "write the IANA name of a time zone, such as Europe/Berlin, or leave it out: then it is the vehicle's own",
    ),
]
Terms = Annotated[
    str,
    Field(pattern=_TERMS, max_length=64),
    text(
        64,
        f"self.matches('{_TERMS}')",
        "a version is letters, digits, '.', '_' and '-', such as 2 or 2026-11",
    ),
]


def _set(*rules: str) -> dict[str, Any]:
    """Schema extra of a list in which nothing comes twice."""
    return {"x-kubernetes-list-type": "set", **(cel(*rules) if rules else {})}


class Eligibility(Model):
    """When a vehicle may work."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "self.resumeStateOfCharge > self.minStateOfCharge",
            "resumeStateOfCharge must be above minStateOfCharge, or a battery at the floor would flap; "
            "unless set they are 65 and 60",
        )
    )

    parked_for: Duration = Field(default="10m", description="Time in park before work starts.")
    min_state_of_charge: Percent = Field(
        default=60, description="Floor, in percent: below it a vehicle stops working."
    )
    resume_state_of_charge: Percent = Field(
        default=65, description="In percent: from here on a vehicle that fell below the floor works again."
    )
    charging: Literal["Required", "PreferredAboveFloor", "NotRequired"] = Field(
        default="Required", description="Whether a vehicle must be plugged in to start work."
    )
    max_compute_celsius: int = Field(
        default=75, ge=30, le=110, description="Above it the computer is too hot to work."
    )
    max_battery_celsius: int = Field(
        default=45, ge=20, le=70, description="Above it the battery is too hot to work."
    )
    cooldown: Duration = Field(
        default="2m", description="Time below the limits before a hot vehicle works again."
    )
    links: list[Literal["wifi", "ethernet", "cellular"]] = Field(
        default_factory=list,
        max_length=3,
        description="Links over which a vehicle may work; none named: any.",
        json_schema_extra=_set(),
    )
    places: list[Literal["home", "work", "depot", "any"]] = Field(
        default_factory=list,
        max_length=4,
        description="Places where a vehicle may work; none named: any.",
        json_schema_extra=_set("!('any' in self) || size(self) == 1", "any says all places: write it alone"),
    )
    telemetry_stale_after: Annotated[Duration, within("1s", "10m")] = Field(
        default="30s",
        description="Signals older than this count as missing, and missing counts as not eligible.",
    )


class Departure(Model):
    """What is kept for the owner's next trip."""

    respect_schedule: bool = Field(
        default=False, description="Whether work keeps away from the departure that the vehicle knows of."
    )
    reserve_state_of_charge: Percent = Field(
        default=0, description="In percent: what the battery must hold for the next trip; 0 asks for none."
    )
    quiet_before: Annotated[Duration, within("0s", "12h")] = Field(
        default="0s", description="No work starts that long before the departure."
    )


class Energy(Model):
    """What work may use."""

    max_energy_wh_per_day: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Of one vehicle, by its own day; unset: no cap."
    )
    departure: Departure = Field(default=Departure(), description="What is kept for the owner's next trip.")


class Window(Model):
    """A time, by the clock, in which work is allowed or denied."""

    schedule: Schedule = Field(description="When it begins, as cron has it.")
    duration: Annotated[Duration, within("1m", "168h")] = Field(description="How long it lasts.")
    time_zone: TimeZone = Field(default="", description="IANA time zone; unset: the vehicle's own.")
    mode: Literal["Allow", "Deny"] = Field(
        default="Allow",
        description="Whether work is allowed in it. With any Allow, work is denied outside of all of them; Deny wins.",
    )


class DriverReturn(Model):
    """What happens when the driver comes back."""

    grace_period: Annotated[Duration, within("0s", "30s")] = Field(
        default="1s", description="From the freeze, which is immediate, to the end of the slot's processes."
    )
    reclaim_target: Annotated[Latency, swift("1ms", "60s")] = Field(
        default="250ms",
        description="From the signal to the last CPU time of work: what ReclaimSLOMet is measured against.",
    )


class Disruption(Model):
    """How work ends early."""

    driver_return: DriverReturn = Field(default=DriverReturn(), description="The driver comes back.")


class Autonomy(Model):
    """How long a vehicle may be out of sight."""

    duration: Annotated[Duration, within("1s", "168h")] = Field(
        default="1h",
        description="Silence after which its Node and slots are deleted, and a vehicle's work stops.",
    )
    max_buffered_shards: int = Field(
        default=64, ge=1, le=1000, description="Most shards that a vehicle holds, finished or not."
    )


class Execution(Model):
    """What a vehicle runs, and within which walls."""

    require_signed_bundles: bool = Field(
        default=False, description="Only bundles signed by a publisher that the vehicle knows."
    )
    allow_missing_sandbox_layers: list[Literal["namespaces", "seccomp", "landlock", "cgroup-memory"]] = Field(
        default_factory=list,
        max_length=4,
        description="Layers that a vehicle may lack where its owner allows it, too.",
        json_schema_extra=_set(),
    )


class Consent(Model):
    """What owners are asked to agree to. Without their current consent a vehicle does not work."""

    policy_ref: str = Field(default="", max_length=1024, description="Where an owner reads the terms.")
    terms_version: Terms = Field(description="Version of the terms; another one asks again.")
    scopes: list[Literal["public-data", "internal-data", "confidential-data"]] = Field(
        min_length=1, max_length=3, description="Data that is worked on.", json_schema_extra=_set()
    )
    renew_after: Annotated[Duration, within("1h", "17520h")] | None = Field(
        default=None, description="Age at which a consent must be given anew; unset: never."
    )


class VehiclePoolSpec(Model):
    """Which vehicles belong, and their rules."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "self.energy.departure.reserveStateOfCharge == 0 ||"
            " self.energy.departure.reserveStateOfCharge >= self.eligibility.minStateOfCharge",
            "energy.departure.reserveStateOfCharge is under eligibility.minStateOfCharge, which holds already: "
            "raise it or leave it out",
        )
    )

    selector: LabelSelector = Field(description="Labels of the vehicles' Nodes that belong to this pool.")
    weight: int = Field(
        default=1, ge=1, le=100, description="The pool of highest weight wins a vehicle that fits several."
    )
    stop_policy: Literal["None", "Hold", "HoldAndDrain"] = Field(
        default="None",
        description="Hold starts no work and lets what runs finish; HoldAndDrain ends it.",
    )
    eligibility: Eligibility = Field(default=Eligibility(), description="When a vehicle may work.")
    energy: Energy = Field(default=Energy(), description="What work may use.")
    windows: list[Window] = Field(
        default_factory=list,
        max_length=16,
        description="Times in which work is allowed or denied; none: always allowed.",
        json_schema_extra=cel(
            "self.all(a, self.all(b, a.schedule != b.schedule || a.timeZone != b.timeZone || a.mode == b.mode))",
            "one schedule is allowed and denied: choose one of the two, or another time",
        ),
    )
    disruption: Disruption = Field(default=Disruption(), description="How work ends early.")
    autonomy: Autonomy = Field(default=Autonomy(), description="How long a vehicle may be out of sight.")
    execution: Execution = Field(
        default=Execution(), description="What a vehicle runs, and within which walls."
    )
    consent: Consent | None = Field(default=None, description="What owners are asked; unset: nothing.")


class VehiclePool(Model):
    """A fleet of parked vehicles that follow the same rules."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            "size(self.metadata.name) <= 63",
            "a pool's name is a label of its vehicles' Nodes: at most 63 characters",
        )
    )

    metadata: ObjectMeta = Field(default=ObjectMeta())
    spec: VehiclePoolSpec = Field(description="Which vehicles belong, and their rules.")
    status: VehiclePoolStatus | None = Field(default=None, description="What was observed.")
