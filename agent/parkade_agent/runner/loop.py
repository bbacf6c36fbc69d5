"""Shard in, sidecar by reference, result out, for as long as the agent answers."""

import asyncio
import time
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc

from parkade_agent import health
from parkade_agent.runner import report
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_api.wellknown import SLOT_SECRET, ShardFault

_HEALTH_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.2


class AgentLostError(Exception):
    """The agent does not answer; without it the runner has nothing to do."""


class SidecarLostError(Exception):
    """The sidecar did not become healthy in time."""


class Runner:
    """The loop of one slot, over two channels to unix sockets; the agent knows it by *secret*."""

    def __init__(self, agent: grpc.aio.Channel, sidecar: grpc.aio.Channel, secret: str) -> None:
        self._rights = ((SLOT_SECRET, secret),)
        self._slot = vehicle_pb2_grpc.SlotStub(agent)
        self._shards = vehicle_pb2_grpc.ShardsStub(sidecar)
        self._health = health_pb2_grpc.HealthStub(sidecar)

    async def run(self) -> None:
        """Runs shards until cancelled. Raises AgentLostError or SidecarLostError."""
        await self._wait_for_sidecar()
        _say("sidecar is healthy, asking for shards")
        while True:
            shard = await self._next()
            if shard.lease:
                await self._finish(await self._run_shard(shard))
            else:
                await asyncio.sleep(_PAUSE_SECONDS)  # an agent that answers "nothing" at once is not hammered

    async def _wait_for_sidecar(self) -> None:
        deadline = time.monotonic() + _HEALTH_SECONDS
        while not await health.serves(self._health):
            if time.monotonic() > deadline:
                raise SidecarLostError(f"the sidecar was not healthy within {_HEALTH_SECONDS:.0f} s")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _next(self) -> vehicle_pb2.NextReply:
        try:
            return await self._slot.Next(vehicle_pb2.NextRequest(), metadata=self._rights)
        except grpc.aio.AioRpcError as error:
            raise AgentLostError(_unanswered(error)) from None

    async def _run_shard(self, shard: vehicle_pb2.NextReply) -> vehicle_pb2.FinishRequest:
        started = time.monotonic()
        try:
            finish = report.finished(shard, await self._outcome(shard))
        except grpc.aio.AioRpcError as error:
            finish = report.failed(shard, error.code(), error.details() or "no message")
        _say(report.log_line(finish, time.monotonic() - started))
        return finish

    async def _outcome(self, shard: vehicle_pb2.NextReply) -> vehicle_pb2.ShardOutcome:
        last = vehicle_pb2.RunProgress()
        async for progress in self._shards.Run(report.run_request(shard)):
            last = progress
        return last.outcome

    async def _finish(self, finish: vehicle_pb2.FinishRequest) -> None:
        try:
            await self._slot.Finish(finish, metadata=self._rights)
        except grpc.aio.AioRpcError as error:
            raise AgentLostError(_unanswered(error)) from None
        if finish.reason == ShardFault.SIDECAR_LOST:
            await self._wait_for_sidecar()


def _unanswered(error: grpc.aio.AioRpcError) -> str:
    """A sentence for the pod's log; gRPC's own names a path of the vehicle."""
    return f"the agent does not answer ({error.code().name})"


def _say(sentence: str) -> None:
    # The runner's output is the pod's log: a reader follows it line by line.
    print(sentence, flush=True)  # noqa: T201
