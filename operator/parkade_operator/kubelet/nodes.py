"""Nodes as desired: created, their taints and conditions patched when a verdict changes, their Leases renewed."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from parkade_api.wellknown import NODE_LEASE_NAMESPACE
from parkade_core.kubelet.node import (
    NodeDesire,
    NodeKind,
    lease,
    metadata_patch,
    owner_patch,
    place_patch,
    status_patch,
    taints_patch,
)
from parkade_operator.kube.client import MERGE, STRATEGIC, KubeClient, Object
from parkade_operator.kube.errors import Conflict, KubeError, NotFound
from parkade_operator.kube.reflector import Reflector
from parkade_operator.kube.workqueue import WorkQueue
from parkade_operator.kubelet.owner import Owner

LEASE_SECONDS = 40
_RENEW_SECONDS = 10.0
_UNOWNED_SECONDS = 10.0
_log = structlog.get_logger()


class NodeController:
    """Keeps the Node of every key for which a desire was stated; *kind* says what a key is.

    With an *owner*, all Nodes are its, and none is made while it is gone.
    """

    def __init__(
        self,
        client: KubeClient,
        holder: str,
        kind: NodeKind,
        on_change: Callable[[], None],
        owner: Owner | None = None,
    ) -> None:
        self._client = client
        self._holder = holder
        self._kind = kind
        self._on_change = on_change
        self._owner = owner
        self._nodes: dict[str, Object] = {}
        self._desires: dict[str, NodeDesire] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._queue = WorkQueue(self._reconcile, name="nodes")
        self._reflector = Reflector(client, "/api/v1/nodes", self._take, **kind.selectors)
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
                keys = list(self._nodes)
                for key in keys:
                    group.create_task(self._renew(key))
                    await asyncio.sleep(_RENEW_SECONDS / len(keys))
                if not keys:
                    await asyncio.sleep(1)

    def desire(self, key: str, desire: NodeDesire) -> None:
        """States what the Node of *key* shall say; it is written soon if it differs."""
        if self._desires.get(key) != desire:
            self._desires[key] = desire
            self._queue.add(key)

    def get(self, key: str) -> Object | None:
        """The Node of *key* as last seen."""
        return self._nodes.get(key)

    def known(self) -> list[str]:
        """All keys that have a Node."""
        return list(self._nodes)

    async def write(self, key: str) -> None:
        """Returns when the Node says what is desired, or when there must be none. Raises KubeError."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key in self._nodes:
                await self._settle(key)
            desire = self._desires.get(key)
            if desire is None:
                return
            if key not in self._nodes and not await self._create(key, desire):
                return
            await self._write_taints(key, desire)
            await self._write_status(key, desire)
            await self._write_labels(key, desire)

    async def delete(self, key: str) -> None:
        """Deletes the Node; its Lease goes with it."""
        self._desires.pop(key, None)
        self._locks.pop(key, None)
        try:
            await self._client.delete(f"/api/v1/nodes/{self._kind.name(key)}")
        except NotFound:
            return

    def _take(self, node: Object, exists: bool) -> None:  # noqa: FBT001 - the reflector's signature
        key = self._kind.key(node["metadata"]["name"])
        if key is None:
            return
        if exists:
            self._nodes[key] = node
        else:
            self._nodes.pop(key, None)
        self._on_change()
        self._queue.add(key)

    async def _reconcile(self, key: str) -> float | None:
        await self.write(key)
        return _UNOWNED_SECONDS if key in self._desires and key not in self._nodes else None

    async def _settle(self, key: str) -> None:
        """What an earlier kubelet wrote of itself is corrected: where it answers, and who owns the Node."""
        newborn = self._kind.newborn(key, {}, _now())
        if (patch := place_patch(self._nodes[key], newborn)) is not None:
            await self._patch(key, "/status", patch, STRATEGIC)
        owner = await self._owner.recent() if self._owner else None
        if owner and (patch := owner_patch(self._nodes[key], owner)) is not None:
            await self._patch(key, "", patch, MERGE)

    async def _create(self, key: str, desire: NodeDesire) -> bool:
        body = self._kind.newborn(key, desire.labels, _now())
        if self._owner is not None:
            owner = await self._owner.reference()
            if owner is None:
                return False
            body["metadata"]["ownerReferences"] = [owner]
        try:
            self._nodes[key] = await self._client.create("/api/v1/nodes", body)
        except Conflict:
            self._nodes[key] = await self._client.get(f"/api/v1/nodes/{self._kind.name(key)}")
        _log.info("node created", node=body["metadata"]["name"])
        await self._renew(key)
        return True

    async def _write_taints(self, key: str, desire: NodeDesire) -> None:
        while (patch := taints_patch(self._nodes[key], desire.taints, self._kind.taint_keys)) is not None:
            try:
                await self._patch(key, "", patch, MERGE)
            except Conflict:
                self._nodes[key] = await self._client.get(f"/api/v1/nodes/{self._kind.name(key)}")
                continue
            _log.info("taints", node=self._kind.name(key), taints=[taint[0] for taint in desire.taints])

    async def _write_status(self, key: str, desire: NodeDesire) -> None:
        verdicts = (self._kind.ready, *desire.verdicts)
        patch = status_patch(self._nodes[key], verdicts, desire.allocatable, _now())
        if patch is not None:
            await self._patch(key, "/status", patch, STRATEGIC)

    async def _write_labels(self, key: str, desire: NodeDesire) -> None:
        patch = metadata_patch(self._nodes[key], desire.labels)
        if patch is not None:
            await self._patch(key, "", patch, MERGE)

    async def _patch(self, key: str, sub: str, patch: Object, content_type: str) -> None:
        path = f"/api/v1/nodes/{self._kind.name(key)}{sub}"
        try:
            self._nodes[key] = await self._client.patch(path, patch, content_type)
        except NotFound:
            self._nodes.pop(key, None)
            raise

    async def _renew(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None:
            return
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NODE_LEASE_NAMESPACE}/leases"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        name = self._kind.name(key)
        body = lease(name, node["metadata"]["uid"], self._holder, now, LEASE_SECONDS)
        try:
            await self._client.patch(f"{path}/{name}", body, MERGE)
        except NotFound:
            await self._create_lease(path, body)
        except KubeError as error:
            _log.warning("lease not renewed", lease=name, error=str(error))

    async def _create_lease(self, path: str, body: Object) -> None:
        try:
            await self._client.create(path, body)
        except KubeError as error:
            _log.warning("lease not created", lease=body["metadata"]["name"], error=str(error))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
