"""InferenceBatch: plan, slots, status. One idempotent `reconcile`, whatever happened."""

from datetime import UTC, datetime, timedelta

import structlog
from pydantic import ValidationError

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.v1alpha1 import InferenceBatch
from parkade_api.v1alpha1.common import seconds
from parkade_api.v1alpha1.inferencebatch import InferenceBatchStatus
from parkade_api.wellknown import API_VERSION
from parkade_core.batch.news import find_news
from parkade_core.batch.progress import Progress
from parkade_core.batch.slots import plan_slots, replica_set_name
from parkade_core.batch.status import FINISHED, Known, fold, is_finished, seconds_left
from parkade_core.patches import merge_patch
from parkade_operator.controllers.gateway_client import GatewayClient, GatewayUnavailable
from parkade_operator.controllers.pools import PoolIndex
from parkade_operator.kube.client import APPLY, MERGE, KubeClient, Object
from parkade_operator.kube.errors import Conflict, NotFound
from parkade_operator.kube.events import EventRecorder
from parkade_operator.messages import progress_of

_FIELD_MANAGER = "parkade-operator"
_RETRY_SECONDS = 2.0
_log = structlog.get_logger()


class BatchReconciler:
    """Keeps every InferenceBatch as it shall be."""

    def __init__(
        self, client: KubeClient, gateway: GatewayClient, pools: PoolIndex, events: EventRecorder
    ) -> None:
        self._client = client
        self._gateway = gateway
        self._pools = pools
        self._events = events
        self._objects: dict[str, Object] = {}  # uid -> as last seen
        self._planned: dict[str, pb.PlanRequest] = {}  # uid -> what the gateway was last asked

    def see(self, item: Object, *, exists: bool) -> str:
        """Takes an object as the API server showed it; returns its uid, the key to reconcile."""
        uid = str(item["metadata"]["uid"])
        if exists:
            self._objects[uid] = item
        else:
            self._objects.pop(uid, None)
        return uid

    def phases(self) -> list[str]:
        """The phase of every batch, empty before its first status."""
        return [_phase(item) for item in self._objects.values()]

    def unsettled(self) -> set[str]:
        """The batches for which a change of pools or vehicles means something.

        Of a batch that has finished only its release by the gateway is left to do: its ReplicaSet is scaled to 0 when
        it is seen to finish, and at each start of an operator.
        """
        led = {batch.uid for batch in self._gateway.latest.batches} if self._gateway.latest else set()
        return led | {uid for uid, item in self._objects.items() if _phase(item) not in FINISHED}

    async def reconcile(self, uid: str) -> float | None:
        """Brings one batch forward: asks for its plan, sizes its slots, writes its status. Raises KubeError."""
        item = self._objects.get(uid)
        try:
            if item is None or "deletionTimestamp" in item["metadata"]:
                await self._cancel(uid)
                return None
            batch = InferenceBatch.model_validate(item)
            if is_finished(batch):
                await self._cancel(uid)
                await self._size(batch, [], progress=None)
                return None
            return await self._advance(item, batch)
        except ValidationError as error:
            _log.warning("batch not understood", uid=uid, error=str(error))
            return None
        except GatewayUnavailable as error:
            _log.warning("gateway unavailable", uid=uid, error=str(error))
            return _RETRY_SECONDS

    async def _advance(self, item: Object, batch: InferenceBatch) -> float | None:
        pools = self._pools.of(batch)
        progress = progress_of(self._gateway.latest, batch.metadata.uid)
        if pools or progress is not None:
            await self._plan(batch, progress)
        await self._size(batch, pools, progress)
        if self._gateway.latest is not None or batch.status is None:
            await self._write_status(item, batch, pools, progress)
        return None

    async def _plan(self, batch: InferenceBatch, progress: Progress | None) -> None:
        request = _plan_request(batch)
        is_known = progress is not None and self._planned.get(request.uid) == request
        if self._gateway.latest is None or is_known:
            return
        await self._gateway.plan(request)
        self._planned[request.uid] = request
        _log.info("plan asked for", batch=batch.metadata.name, namespace=batch.metadata.namespace)

    async def _cancel(self, uid: str) -> None:
        self._planned.pop(uid, None)
        if progress_of(self._gateway.latest, uid) is not None:
            await self._gateway.cancel(uid)
            _log.info("batch released", uid=uid)

    async def _size(self, batch: InferenceBatch, pools: list[str], progress: Progress | None) -> None:
        path = f"/apis/apps/v1/namespaces/{batch.metadata.namespace}/replicasets/{replica_set_name(batch)}"
        free = self._pools.count(pools, self._gateway.latest).free
        seen = (progress, free, await self._replica_set(path))
        change = plan_slots(batch, pools, self._pools.autonomy_seconds(pools), seen)
        if change is None:
            return
        if change.is_whole:
            await self._client.patch(path, change.body, APPLY, fieldManager=_FIELD_MANAGER, force="true")
        else:
            await self._client.patch(path, change.body, MERGE)
        _log.info("slots", batch=batch.metadata.name, replicas=change.replicas, reason=change.reason)

    async def _replica_set(self, path: str) -> Object | None:
        try:
            return await self._client.get(path)
        except NotFound:
            return None

    async def _write_status(
        self, item: Object, batch: InferenceBatch, pools: list[str], progress: Progress | None
    ) -> None:
        now = datetime.now(UTC)
        left = seconds_left(progress) if progress else None
        eta = _rfc3339(now + timedelta(seconds=left)) if left is not None else None
        count = self._pools.count(pools, self._gateway.latest)
        known = Known(pools, count, progress, is_reachable=self._gateway.latest is not None)
        status = fold(batch, known, _rfc3339(now), eta)
        if status == batch.status:
            return
        meta = batch.metadata
        path = f"/apis/{API_VERSION}/namespaces/{meta.namespace}/inferencebatches/{meta.name}/status"
        body = {"metadata": {"uid": meta.uid}, "status": merge_patch(_dumped(batch.status), _dumped(status))}
        try:
            self.see(await self._client.patch(path, body, MERGE), exists=True)
        except (NotFound, Conflict):
            return
        await self._tell(item, batch.status, status)

    async def _tell(
        self, item: Object, before: InferenceBatchStatus | None, status: InferenceBatchStatus
    ) -> None:
        about = {"apiVersion": API_VERSION, "kind": "InferenceBatch", **item}
        for news in find_news(before, status):
            names = {"batch": item["metadata"]["name"], "phase": status.phase}
            _log.info("batch event", **names, reason=news.reason, why=news.message)
            await self._events.record(about, news.kind, news.reason, news.message)


def _dumped(status: InferenceBatchStatus | None) -> Object:
    return status.model_dump(by_alias=True, exclude_none=True) if status is not None else {}


def _plan_request(batch: InferenceBatch) -> pb.PlanRequest:
    meta, spec = batch.metadata, batch.spec
    return pb.PlanRequest(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        model_uri=spec.model.uri,
        model_digest=spec.model.digest,
        input_uri=spec.input.uri,
        input_digest=spec.input.digest or "",
        output_uri=spec.output.uri,
        error_uri=spec.output.error_uri or "",
        records_per_shard=spec.sharding.records_per_shard,
        shard_timeout_seconds=seconds(spec.shard_timeout),
        parallelism=spec.parallelism or 0,
        suspend=spec.suspend,
    )


def _phase(item: Object) -> str:
    return str((item.get("status") or {}).get("phase", ""))


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
