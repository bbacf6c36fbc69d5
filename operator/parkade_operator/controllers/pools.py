"""All VehiclePools as last seen, and what batches ask of them."""

from collections.abc import Sequence

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.v1alpha1 import InferenceBatch, VehiclePool
from parkade_api.v1alpha1.common import seconds
from parkade_core.vehicle.census import PoolCount, add_up
from parkade_core.vehicle.membership import matches
from parkade_operator.messages import report_of


class PoolIndex:
    """VehiclePools by name."""

    def __init__(self) -> None:
        self._pools: dict[str, VehiclePool] = {}

    def set(self, name: str, pool: VehiclePool | None) -> None:
        """Takes a pool as the API server showed it; None when it is gone."""
        self._pools.pop(name, None)
        if pool is not None:
            self._pools[name] = pool

    def get(self, name: str) -> VehiclePool | None:
        """The pool of that name."""
        return self._pools.get(name)

    def names(self) -> list[str]:
        """All pools."""
        return sorted(self._pools)

    def of(self, batch: InferenceBatch) -> list[str]:
        """Names of the pools where a batch may run, of those that exist."""
        selector = batch.spec.pool_selector
        if selector is None:
            return sorted(name for name in batch.spec.pool_refs or [] if name in self._pools)
        return sorted(name for name, pool in self._pools.items() if matches(selector, pool.metadata.labels))

    def autonomy_seconds(self, names: Sequence[str]) -> int:
        """The longest time that a vehicle of these pools may be silent."""
        durations = [self._pools[name].spec.autonomy.duration for name in names]
        return int(max(map(seconds, durations), default=3600.0))

    def count(self, names: Sequence[str], snapshot: pb.Snapshot | None) -> PoolCount:
        """The vehicles of these pools, as far as the gateway has reported them."""
        reports = (report_of(snapshot, name) for name in names)
        return add_up(report.count for report in reports if report is not None)
