"""VehiclePools as the gateway applies them: watched, and turned into rules for a vehicle."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.common import seconds
from parkade_api.wellknown import API_VERSION
from parkade_core.vehicle.membership import pool_of
from parkade_core.vehicle.rules import PoolRules
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.policy import rules_of
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.reflector import Reflector

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AppliedPool:
    """A pool's rules for its vehicles, and how fast owners shall get them back, in seconds."""

    rules: PoolRules
    reclaim_target: float


class Pools:
    """All VehiclePools, by watch; *on_change* is told after every change."""

    def __init__(self, client: KubeClient, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._pools: dict[str, VehiclePool] = {}
        self._applied: dict[str, AppliedPool] = {}
        self._unread = set[str]()
        self._reflector = Reflector(client, f"/apis/{API_VERSION}/vehiclepools", self._take)
        self.synced = self._reflector.synced

    async def watch(self) -> None:
        """Follows the API server until cancelled."""
        await self._reflector.run()

    def applied(self) -> dict[str, AppliedPool]:
        """All pools by name, in one order."""
        return {name: self._applied[name] for name in sorted(self._pools)}

    def editions(self) -> dict[str, tuple[str, int]]:
        """Uid and generation of every pool: what changes when a pool comes, goes, is edited, or is made anew."""
        return {name: (pool.metadata.uid, pool.metadata.generation) for name, pool in self._pools.items()}

    def of(self, identity: Identity) -> AppliedPool | None:
        """The pool of a vehicle, by its verified claims."""
        pool = pool_of(identity.claims, self._pools.values())
        return self._applied[pool.metadata.name] if pool else None

    @property
    def are_all_read(self) -> bool:
        """Whether there is no pool that this gateway cannot read; whose vehicles such a pool has, nobody can say."""
        return not self._unread

    def _take(self, item: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        name = item["metadata"]["name"]
        self._pools.pop(name, None)
        self._unread.discard(name)
        try:
            if exists:
                pool = VehiclePool.model_validate(item)
                target = seconds(pool.spec.disruption.driver_return.reclaim_target)
                self._applied[name] = AppliedPool(rules_of(pool), target)
                self._pools[name] = pool
        except ValidationError as error:
            self._unread.add(name)
            _log.warning("pool not understood, its vehicles get no new work", pool=name, error=str(error))
        self._on_change()
