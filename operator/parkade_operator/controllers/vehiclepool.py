"""VehiclePool: its status is a count of what the gateway reports."""

from datetime import UTC, datetime

import structlog
from pydantic import ValidationError

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.wellknown import API_VERSION
from parkade_core.patches import merge_patch
from parkade_core.vehicle.pool_status import pool_status
from parkade_operator.controllers.gateway_client import GatewayClient
from parkade_operator.controllers.pools import PoolIndex
from parkade_operator.kube.client import MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict, NotFound
from parkade_operator.messages import report_of

_log = structlog.get_logger()


class PoolReconciler:
    """Keeps the status of every VehiclePool."""

    def __init__(self, client: KubeClient, gateway: GatewayClient, pools: PoolIndex) -> None:
        self._client = client
        self._gateway = gateway
        self._pools = pools

    def see(self, item: Object, *, exists: bool) -> str:
        """Takes an object as the API server showed it; returns its name, the key to reconcile."""
        name = str(item["metadata"]["name"])
        try:
            self._pools.set(name, VehiclePool.model_validate(item) if exists else None)
        except ValidationError as error:
            self._pools.set(name, None)
            _log.warning("pool not understood", pool=name, error=str(error))
        return name

    async def reconcile(self, name: str) -> float | None:
        """Writes the status of one pool if it differs. Raises KubeError."""
        pool = self._pools.get(name)
        if pool is None:
            return None
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = pool_status(pool, report_of(self._gateway.latest, name), now)
        if status == pool.status:
            return None
        before = pool.status.model_dump(by_alias=True) if pool.status else {}
        patch = merge_patch(before, status.model_dump(by_alias=True))
        body = {"metadata": {"uid": pool.metadata.uid}, "status": patch}
        try:
            path = f"/apis/{API_VERSION}/vehiclepools/{name}/status"
            self.see(await self._client.patch(path, body, MERGE), exists=True)
        except (NotFound, Conflict):
            return None
        return None
