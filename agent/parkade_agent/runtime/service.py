"""The agent's service to the runner, on a unix socket of the slot.

The socket lies in a folder that only the agent's user may enter. Other programs of that user can open it where no
name space hides it; each slot therefore has a secret, which is in its runner's environment and nowhere else.
"""

import contextlib
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
from typing_extensions import override

from parkade_agent.shards import Shards
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_api.wellknown import SLOT_SECRET, ShardFault

_SECRET_BYTES: Final = 32
Explain = Callable[[str, float], Awaitable[str]]


class SlotService(vehicle_pb2_grpc.SlotServicer):
    """parkade.vehicle.v1.Slot for one slot; a caller without *secret* is refused as UNAUTHENTICATED.

    *explain* turns a runner's message on a lost sidecar, and when the shard was begun, into the reason.
    """

    def __init__(self, shards: Shards, explain: Explain, secret: str) -> None:
        self._shards = shards
        self._explain = explain
        self._secret = secret

    @override
    async def Next(
        self, request: vehicle_pb2.NextRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.NextReply:
        """The next shard, or an empty reply after some seconds without one."""
        await self._admit(context)
        return await self._shards.next()

    @override
    async def Finish(
        self, request: vehicle_pb2.FinishRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.FinishReply:
        """Takes note of a shard's end; why the sidecar was lost is known here and not to the runner."""
        await self._admit(context)
        if request.reason == ShardFault.SIDECAR_LOST:
            begun_at = self._shards.begun_at(request.lease, request.shard)
            request.message = await self._explain(request.message, begun_at)
        await self._shards.finish(request)
        return vehicle_pb2.FinishReply()

    async def _admit(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        shown = dict(context.invocation_metadata() or ()).get(SLOT_SECRET, "")
        if not hmac.compare_digest(str(shown).encode(), self._secret.encode()):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "only the slot's runner, which knows its secret"
            )


@contextlib.asynccontextmanager
async def serving(shards: Shards, socket: Path, explain: Explain) -> AsyncIterator[str]:
    """Serves the slot's runner on *socket* as long as the context lasts; gives the secret that it must show."""
    server, secret = grpc.aio.server(), secrets.token_hex(_SECRET_BYTES)
    vehicle_pb2_grpc.add_SlotServicer_to_server(SlotService(shards, explain, secret), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield secret
    finally:
        await server.stop(grace=None)
