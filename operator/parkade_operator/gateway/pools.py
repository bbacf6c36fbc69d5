"""VehiclePools as the gateway applies them: watched, and turned into rules for a vehicle."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import seconds
from parkade_api.wellknown import API_VERSION
from parkade_core.vehicle.membership import pool_of
from parkade_core.vehicle.rules import Charging, PoolRules
from parkade_operator.door.tls import Identity
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.reflector import Reflector

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AppliedPool:
    """A pool's rules for its vehicles; *autonomy* in seconds."""

    rules: PoolRules
    autonomy: float

    def policy(self) -> pb.Policy:
        """The rules as the guard in the vehicle gets them."""
        rules = self.rules
        return pb.Policy(
            pool=rules.pool,
            generation=rules.generation,
            min_state_of_charge_percent=int(rules.min_state_of_charge_percent),
            resume_state_of_charge_percent=int(rules.resume_state_of_charge_percent),
            charging=rules.charging.value,
            max_compute_celsius=int(rules.max_compute_celsius),
            max_battery_celsius=int(rules.max_battery_celsius),
            parked_for_seconds=rules.parked_for,
            cooldown_seconds=rules.cooldown,
            telemetry_stale_after_seconds=rules.telemetry_stale_after,
            driver_return_grace_seconds=rules.driver_return_grace,
        )


class Pools:
    """All VehiclePools, by watch; *on_change* is told after every change."""

    def __init__(self, client: KubeClient, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._pools: dict[str, VehiclePool] = {}
        self._applied: dict[str, AppliedPool] = {}
        self._reflector = Reflector(client, f"/apis/{API_VERSION}/vehiclepools", self._take)
        self.synced = self._reflector.synced

    async def watch(self) -> None:
        """Follows the API server until cancelled."""
        await self._reflector.run()

    def names(self) -> list[str]:
        """The names of all pools."""
        return sorted(self._pools)

    def generations(self) -> dict[str, int]:
        """The generation of every pool: what changes when a pool comes, goes or is edited."""
        return {name: pool.metadata.generation for name, pool in self._pools.items()}

    def of(self, identity: Identity) -> AppliedPool | None:
        """The pool of a vehicle, by its verified claims."""
        pool = pool_of(identity.claims, self._pools.values())
        return self._applied[pool.metadata.name] if pool else None

    def _take(self, item: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        name = item["metadata"]["name"]
        self._pools.pop(name, None)
        try:
            if exists:
                pool = VehiclePool.model_validate(item)
                self._applied[name] = _applied(pool)
                self._pools[name] = pool
        except ValidationError as error:
            _log.warning("pool not understood, its vehicles stay closed", pool=name, error=str(error))
        self._on_change()


def _applied(pool: VehiclePool) -> AppliedPool:
    eligibility = pool.spec.eligibility
    rules = PoolRules(
        pool=pool.metadata.name,
        generation=pool.metadata.generation,
        min_state_of_charge_percent=eligibility.min_state_of_charge,
        resume_state_of_charge_percent=eligibility.resume_state_of_charge,
        charging=Charging(eligibility.charging),
        max_compute_celsius=eligibility.max_compute_celsius,
        max_battery_celsius=eligibility.max_battery_celsius,
        parked_for=seconds(eligibility.parked_for),
        cooldown=seconds(eligibility.cooldown),
        telemetry_stale_after=seconds(eligibility.telemetry_stale_after),
        driver_return_grace=seconds(pool.spec.disruption.driver_return.grace_period),
    )
    return AppliedPool(rules, seconds(pool.spec.autonomy.duration))
