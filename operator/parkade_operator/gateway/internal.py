"""The internal port (`parkade.gateway.v1`): the operator plans, cancels and watches."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable

import grpc
import structlog
from typing_extensions import override

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc as rpc
from parkade_api.wellknown import GATEWAY_AUDIENCE
from parkade_operator.kube.client import KubeClient
from parkade_operator.kube.errors import KubeError
from parkade_operator.shards.service import Batches
from parkade_operator.shards.spec import BatchSpec

_TRUSTED_SECONDS = 60.0
_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[object, object]


class Changes:
    """Tells any number of waiters that something changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wakes everybody who waits."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Returns after the next change."""
        await self._event.wait()


class TokenReviewer:
    """Checks bearer tokens by TokenReview; a yes is trusted for a minute."""

    def __init__(self, client: KubeClient, user: str) -> None:
        self._client = client
        self._user = user
        self._trusted: dict[bytes, float] = {}

    async def admit(self, context: Context) -> None:
        """Returns if the caller is the one user; ends the call otherwise."""
        metadata = dict(context.invocation_metadata() or ())
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        key = hashlib.sha256(token.encode()).digest()
        if self._trusted.get(key, 0.0) > time.monotonic():
            return
        if scheme != "Bearer" or not await self._is_user(token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"only {self._user} may call this port")
        self._trusted = {key: time.monotonic() + _TRUSTED_SECONDS}

    async def _is_user(self, token: str) -> bool:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [GATEWAY_AUDIENCE]},
        }
        try:
            answer = await self._client.create("/apis/authentication.k8s.io/v1/tokenreviews", review)
        except KubeError as error:
            _log.warning("token not reviewed", error=str(error))
            return False
        status = answer["status"]
        return bool(status.get("authenticated") and status["user"]["username"] == self._user)


class GatewayService(rpc.GatewayServicer):
    """Serves the operator."""

    def __init__(
        self,
        batches: Batches,
        reviewer: TokenReviewer,
        changes: Changes,
        snapshot: Callable[[], pb.Snapshot],
    ) -> None:
        self._batches = batches
        self._reviewer = reviewer
        self._changes = changes
        self._snapshot = snapshot

    @override
    async def Plan(self, request: pb.PlanRequest, context: Context) -> pb.PlanReply:
        """Makes this gateway lead a batch."""
        await self._reviewer.admit(context)
        self._batches.plan(spec_of(request))
        return pb.PlanReply()

    @override
    async def Cancel(self, request: pb.CancelRequest, context: Context) -> pb.CancelReply:
        """Forgets a batch."""
        await self._reviewer.admit(context)
        await self._batches.cancel(request.uid)
        self._changes.notify()
        return pb.CancelReply()

    @override
    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.Snapshot]:
        """A snapshot at once and after every change."""
        await self._reviewer.admit(context)
        last: pb.Snapshot | None = None
        while True:
            changed = asyncio.ensure_future(self._changes.wait())
            snapshot = self._snapshot()
            if snapshot != last:
                yield snapshot
                last = snapshot
            await changed
            await asyncio.sleep(request.interval_milliseconds / 1000)


def spec_of(request: pb.PlanRequest) -> BatchSpec:
    """The request as shards/ takes it."""
    return BatchSpec(
        uid=request.uid,
        namespace=request.namespace,
        name=request.name,
        model_uri=request.model_uri,
        model_digest=request.model_digest,
        input_uri=request.input_uri,
        input_digest=request.input_digest,
        output_uri=request.output_uri,
        error_uri=request.error_uri,
        records_per_shard=request.records_per_shard,
        shard_timeout=request.shard_timeout_seconds,
        parallelism=request.parallelism,
        suspend=request.suspend,
    )
