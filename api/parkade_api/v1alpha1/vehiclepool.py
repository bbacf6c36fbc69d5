"""VehiclePool: which vehicles belong together and under which rules they may work."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from parkade_api.v1alpha1.common import (
    Condition,
    Duration,
    LabelSelector,
    Model,
    ObjectMeta,
    Percent,
    cel,
    within,
)


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
    telemetry_stale_after: Annotated[Duration, within("1s", "10m")] = Field(
        default="30s",
        description="Signals older than this count as missing, and missing counts as not eligible.",
    )


class DriverReturn(Model):
    """What happens when the driver comes back."""

    grace_period: Annotated[Duration, within("0s", "30s")] = Field(
        default="1s", description="From the freeze, which is immediate, to the end of the slot's processes."
    )


class Disruption(Model):
    """How work ends early."""

    driver_return: DriverReturn = Field(default=DriverReturn(), description="The driver comes back.")


class Autonomy(Model):
    """How long a vehicle may be out of sight."""

    duration: Annotated[Duration, within("1s", "168h")] = Field(
        default="1h", description="Silence after which its Node and slots are deleted."
    )


class VehiclePoolSpec(Model):
    """Which vehicles belong, and their rules."""

    selector: LabelSelector = Field(description="Labels of the vehicles' Nodes that belong to this pool.")
    weight: int = Field(
        default=1, ge=1, le=100, description="The pool of highest weight wins a vehicle that fits several."
    )
    eligibility: Eligibility = Field(default=Eligibility(), description="When a vehicle may work.")
    disruption: Disruption = Field(default=Disruption(), description="How work ends early.")
    autonomy: Autonomy = Field(default=Autonomy(), description="How long a vehicle may be out of sight.")


class VehicleCounts(Model):
    """Vehicles of the pool, counted."""

    total: int = Field(default=0, description="Vehicles with a Node.")
    online: int = Field(default=0, description="Vehicles that were heard of lately.")
    eligible: int = Field(default=0, description="Vehicles that may work now.")
    busy: int = Field(default=0, description="Vehicles that were heard of lately and have a slot.")
    offline: int = Field(default=0, description="Silent vehicles.")


class VehiclePoolStatus(Model):
    """What was observed."""

    observed_generation: int | None = Field(
        default=None, description="Generation that this status speaks of."
    )
    conditions: list[Condition] | None = Field(
        default=None,
        description="Ready, CapacityAvailable.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    vehicles: VehicleCounts | None = Field(default=None, description="Vehicles, counted.")
    ineligible_reasons: dict[str, int] | None = Field(
        default=None, description="Why vehicles may not work: reason to number of vehicles."
    )


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
