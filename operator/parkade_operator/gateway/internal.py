"""The internal port (`parkade.gateway.v1`): the operator plans, cancels and watches."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
from typing_extensions import override

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.proto.gateway.v1 import gateway_pb2_grpc as rpc
from parkade_operator.gateway.changes import Changes
from parkade_operator.gateway.tokens import TokenReviewer
from parkade_operator.shards.service import Batches
from parkade_operator.shards.spec import BatchSpec

Context = grpc.aio.ServicerContext[object, object]


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
            changed = self._changes.next()
            snapshot = self._snapshot()
            if snapshot != last:
                yield snapshot
                last = snapshot
            await changed.wait()
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
