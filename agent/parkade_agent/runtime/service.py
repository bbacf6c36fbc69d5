"""The agent's service to the runner, on a unix socket of the slot."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from typing_extensions import override

from parkade_agent.shards import Shards
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_api.wellknown import ShardFault

Explain = Callable[[str, float], Awaitable[str]]


class SlotService(vehicle_pb2_grpc.SlotServicer):
    """parkade.vehicle.v1.Slot for one slot.

    *explain* turns a runner's message on a lost sidecar, and when the shard was begun, into the reason.
    """

    def __init__(self, shards: Shards, explain: Explain) -> None:
        self._shards = shards
        self._explain = explain

    @override
    async def Next(
        self, request: vehicle_pb2.NextRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.NextReply:
        """The next shard, or an empty reply after some seconds without one."""
        return await self._shards.next()

    @override
    async def Finish(
        self, request: vehicle_pb2.FinishRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.FinishReply:
        """Takes note of a shard's end; why the sidecar was lost is known here and not to the runner."""
        if request.reason == ShardFault.SIDECAR_LOST:
            begun_at = self._shards.begun_at(request.lease, request.shard)
            request.message = await self._explain(request.message, begun_at)
        await self._shards.finish(request)
        return vehicle_pb2.FinishReply()


@contextlib.asynccontextmanager
async def serving(shards: Shards, socket: Path, explain: Explain) -> AsyncIterator[None]:
    """Serves the slot's runner on *socket* as long as the context lasts."""
    server = grpc.aio.server()
    vehicle_pb2_grpc.add_SlotServicer_to_server(SlotService(shards, explain), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=None)
