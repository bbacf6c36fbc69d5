"""Nodes as desired: created, their taints and conditions patched when a verdict changes, their Leases renewed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from parkade_api.wellknown import LABEL_POOL, LABEL_VEHICLE, NODE_LEASE_NAMESPACE
from parkade_core.vehicle.node import (
    TaintRow,
    lease,
    metadata_patch,
    newborn,
    node_labels,
    node_name,
    status_patch,
    taints_patch,
    vehicle_of,
)
from parkade_operator.kube.client import MERGE, STRATEGIC, KubeClient, Object
from parkade_operator.kube.errors import Conflict, KubeError, NotFound
from parkade_operator.kube.reflector import Reflector
from parkade_operator.kube.workqueue import WorkQueue

LEASE_SECONDS = 40
_RENEW_SECONDS = 10.0
_READY = ("Ready", "True", "KubeletReady", "The gateway answers for this Node.")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NodeDesire:
    """What a vehicle's Node shall say. A label with the value "" shall not be there."""

    claims: Mapping[str, str]
    pool: str | None
    verdicts: tuple[tuple[str, str, str, str], ...]  # condition type, status, reason, message
    taints: tuple[TaintRow, ...]
    open_for_slots: bool
    labels: Mapping[str, str]


class NodeController:
    """Keeps the Node of every vehicle for which a desire was stated."""

    def __init__(
        self, client: KubeClient, holder: str, address: str, port: int, on_change: Callable[[], None]
    ) -> None:
        self._client = client
        self._holder = holder
        self._address = address
        self._port = port
        self._on_change = on_change
        self._nodes: dict[str, Object] = {}
        self._desires: dict[str, NodeDesire] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._queue = WorkQueue(self._reconcile)
        self._reflector = Reflector(client, "/api/v1/nodes", self._take, labelSelector=LABEL_VEHICLE)
        self.synced = self._reflector.synced

    async def watch(self) -> None:
        """Follows the API server until cancelled."""
        await self._reflector.run()

    async def work(self) -> None:
        """Writes what differs, until cancelled."""
        await self.synced.wait()
        await self._queue.run()

    async def renew(self) -> None:
        """Renews the Lease of every Node, spread over the period, until cancelled. A slow answer delays no other."""
        await self.synced.wait()
        async with asyncio.TaskGroup() as group:
            while True:
                vehicles = list(self._nodes)
                for vehicle in vehicles:
                    group.create_task(self._renew(vehicle))
                    await asyncio.sleep(_RENEW_SECONDS / len(vehicles))
                if not vehicles:
                    await asyncio.sleep(1)

    def desire(self, vehicle: str, desire: NodeDesire) -> None:
        """States what the Node of *vehicle* shall say; it is written soon if it differs."""
        if self._desires.get(vehicle) != desire:
            self._desires[vehicle] = desire
            self._queue.add(vehicle)

    def get(self, vehicle: str) -> Object | None:
        """The Node of *vehicle* as last seen."""
        return self._nodes.get(vehicle)

    def vehicles(self) -> list[str]:
        """All vehicles that have a Node."""
        return list(self._nodes)

    async def write(self, vehicle: str) -> None:
        """Returns when the Node says what is desired. Raises KubeError."""
        async with self._locks.setdefault(vehicle, asyncio.Lock()):
            desire = self._desires.get(vehicle)
            if desire is None:
                return
            if vehicle not in self._nodes:
                await self._create(vehicle, desire)
            await self._write_taints(vehicle, desire)
            await self._write_status(vehicle, desire)
            await self._write_labels(vehicle, desire)

    async def delete(self, vehicle: str) -> None:
        """Deletes the Node; its Lease goes with it."""
        self._desires.pop(vehicle, None)
        self._locks.pop(vehicle, None)
        try:
            await self._client.delete(f"/api/v1/nodes/{node_name(vehicle)}")
        except NotFound:
            return

    def _take(self, node: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        vehicle = vehicle_of(node["metadata"]["name"])
        if vehicle is None:
            return
        if exists:
            self._nodes[vehicle] = node
        else:
            self._nodes.pop(vehicle, None)
        self._on_change()
        self._queue.add(vehicle)

    async def _reconcile(self, vehicle: str) -> float | None:
        await self.write(vehicle)
        return None

    async def _create(self, vehicle: str, desire: NodeDesire) -> None:
        body = newborn(vehicle, desire.claims, desire.pool, self._address, self._port, _now())
        try:
            self._nodes[vehicle] = await self._client.create("/api/v1/nodes", body)
        except Conflict:
            self._nodes[vehicle] = await self._client.get(f"/api/v1/nodes/{node_name(vehicle)}")
        _log.info("node created", vehicle=vehicle, pool=desire.pool)
        await self._renew(vehicle)

    async def _write_taints(self, vehicle: str, desire: NodeDesire) -> None:
        while (patch := taints_patch(self._nodes[vehicle], desire.taints)) is not None:
            try:
                await self._patch(vehicle, "", patch, MERGE)
            except Conflict:
                self._nodes[vehicle] = await self._client.get(f"/api/v1/nodes/{node_name(vehicle)}")
                continue
            _log.info("taints", vehicle=vehicle, taints=[taint[0] for taint in desire.taints])

    async def _write_status(self, vehicle: str, desire: NodeDesire) -> None:
        verdicts = (_READY, *desire.verdicts)
        patch = status_patch(self._nodes[vehicle], verdicts, open_for_slots=desire.open_for_slots, now=_now())
        if patch is not None:
            await self._patch(vehicle, "/status", patch, STRATEGIC)

    async def _write_labels(self, vehicle: str, desire: NodeDesire) -> None:
        no_pool = {LABEL_POOL: ""}
        labels = no_pool | node_labels(vehicle, desire.claims, desire.pool) | dict(desire.labels)
        patch = metadata_patch(self._nodes[vehicle], labels)
        if patch is not None:
            await self._patch(vehicle, "", patch, MERGE)

    async def _patch(self, vehicle: str, sub: str, patch: Object, content_type: str) -> None:
        path = f"/api/v1/nodes/{node_name(vehicle)}{sub}"
        try:
            self._nodes[vehicle] = await self._client.patch(path, patch, content_type)
        except NotFound:
            self._nodes.pop(vehicle, None)
            raise

    async def _renew(self, vehicle: str) -> None:
        node = self._nodes.get(vehicle)
        if node is None:
            return
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NODE_LEASE_NAMESPACE}/leases"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = lease(vehicle, node["metadata"]["uid"], self._holder, now, LEASE_SECONDS)
        try:
            await self._client.patch(f"{path}/{node_name(vehicle)}", body, MERGE)
        except NotFound:
            await self._create_lease(path, body)
        except KubeError as error:
            _log.warning("lease not renewed", vehicle=vehicle, error=str(error))

    async def _create_lease(self, path: str, body: Object) -> None:
        try:
            await self._client.create(path, body)
        except KubeError as error:
            _log.warning("lease not created", lease=body["metadata"]["name"], error=str(error))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
