"""Both reconcilers with their queues, and who wakes whom."""

import asyncio
from collections.abc import Iterator

import structlog

from parkade_api.figures import Reading
from parkade_api.wellknown import API_VERSION
from parkade_operator.controllers.gateway_client import GatewayClient
from parkade_operator.controllers.inferencebatch import BatchReconciler
from parkade_operator.controllers.metrics import read_state
from parkade_operator.controllers.pools import PoolIndex
from parkade_operator.controllers.settings import Settings
from parkade_operator.controllers.signing import ServingApprover
from parkade_operator.controllers.vehiclepool import PoolReconciler
from parkade_operator.kube.client import KubeClient, Object
from parkade_operator.kube.errors import KubeError
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kube.workqueue import WorkQueue

_RETRY_SECONDS = 1.0
_log = structlog.get_logger()


class Controllers:
    """Made inside the event loop. A changed object wakes itself; a pool or a snapshot wakes all that are unsettled."""

    def __init__(self, settings: Settings, client: KubeClient) -> None:
        self._client = client
        self._gateway = GatewayClient(settings, client)
        self._index = PoolIndex()
        self._pools = PoolReconciler(self._client, self._gateway, self._index)
        events = EventRecorder(self._client, "parkade-operator")
        self._batches = BatchReconciler(self._client, self._gateway, self._index, events)
        self._pool_queue = WorkQueue(self._pools.reconcile, workers=2, name="vehiclepools")
        self._batch_queue = WorkQueue(self._batches.reconcile, name="inferencebatches")
        self._approver = ServingApprover(client, settings.namespace, settings.node_address)
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Starts the queues, follows the gateway and approves its certificates."""
        parts = (self._pool_queue.run(), self._batch_queue.run(), self._follow(), *self._approver.parts())
        self._tasks = [asyncio.create_task(part) for part in parts]
        for task in self._tasks:
            task.add_done_callback(self._on_end)

    async def _follow(self) -> None:
        """Every object is known before the first snapshot is heard: what is not known then is gone, and is released."""
        for collection, see in (("vehiclepools", self.see_pool), ("inferencebatches", self.see_batch)):
            for item in await self._list(collection):
                see(item, exists=True)
        await self._gateway.follow(self._on_snapshot)

    async def _list(self, collection: str) -> list[Object]:
        while True:
            try:
                listing = await self._client.get(f"/apis/{API_VERSION}/{collection}")
            except KubeError as error:
                _log.warning("list failed", collection=collection, error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                items: list[Object] = listing["items"]
                return items

    async def stop(self) -> None:
        """Ends everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._gateway.close()

    def readings(self) -> Iterator[Reading]:
        """What Prometheus is shown of the batches."""
        return read_state(self._batches.phases(), is_connected=self._gateway.latest is not None)

    def see_pool(self, item: Object, *, exists: bool) -> None:
        """A VehiclePool was created, changed or deleted."""
        self._pool_queue.add(self._pools.see(item, exists=exists))
        self._wake_batches()

    def see_batch(self, item: Object, *, exists: bool) -> None:
        """An InferenceBatch was created, changed or deleted."""
        self._batch_queue.add(self._batches.see(item, exists=exists))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """A part that ended without being told to is a defect: the process ends, and whoever runs it starts it anew."""
        if not task.cancelled() and not self.failed.done():
            _log.critical("a part of the operator failed", exc_info=task.exception())
            self.failed.set_result(None)

    def _on_snapshot(self) -> None:
        for name in self._index.names():
            self._pool_queue.add(name)
        self._wake_batches()

    def _wake_batches(self) -> None:
        for uid in self._batches.unsettled():
            self._batch_queue.add(uid)
