"""What is observed of a VehiclePool."""

from pydantic import Field

from parkade_api.v1alpha1.common import Condition, Model


class VehicleCounts(Model):
    """Vehicles of the pool, counted."""

    total: int = Field(default=0, description="Vehicles with a Node.")
    online: int = Field(default=0, description="Vehicles that were heard of lately.")
    eligible: int = Field(default=0, description="Vehicles that may work now.")
    busy: int = Field(default=0, description="Vehicles that were heard of lately and have a slot.")
    offline: int = Field(default=0, description="Silent vehicles.")
    consented: int = Field(default=0, description="Vehicles whose owners' consent covers what the pool asks.")
    quarantined: int = Field(default=0, description="Vehicles that an administrator does not trust.")


class ReclaimTimes(Model):
    """How fast owners got their vehicles back: what the leading gateway heard of the last 24 hours."""

    p50: str = Field(description="Half of the reclaims took at most that long.")
    p99: str = Field(description="99 of 100 reclaims took at most that long.")
    violations24h: int = Field(
        alias="violations24h",
        description="Reclaims that took longer than disruption.driverReturn.reclaimTarget.",
    )


class VehiclePoolStatus(Model):
    """What was observed."""

    observed_generation: int | None = Field(
        default=None, description="Generation that this status speaks of."
    )
    conditions: list[Condition] | None = Field(
        default=None,
        description="Ready, ValidationSucceeded, CapacityAvailable, ConsentCurrent, ReclaimSLOMet.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    vehicles: VehicleCounts | None = Field(default=None, description="Vehicles, counted.")
    reclaim: ReclaimTimes | None = Field(
        default=None, description="How fast owners got their vehicles back; unset: none did."
    )
    ineligible_reasons: dict[str, int] | None = Field(
        default=None, description="Why vehicles may not work: reason to number of vehicles."
    )
