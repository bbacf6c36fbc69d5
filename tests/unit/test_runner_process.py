"""The runner as a process, between a real sidecar and an agent's Slot service of this test."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from typing_extensions import override

from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_api.wellknown import SLOT_SECRET
from parkade_models.bundle import Bundle
from support.sidecars import Sidecar, serving_sidecar, start_module, stop

KNOWN = "known to both"


class Slot(vehicle_pb2_grpc.SlotServicer):
    """An agent that hands out a list of shards and keeps what it hears."""

    def __init__(self) -> None:
        self.shards: asyncio.Queue[vehicle_pb2.NextReply] = asyncio.Queue()
        self.finished: asyncio.Queue[vehicle_pb2.FinishRequest] = asyncio.Queue()

    @override
    async def Next(
        self, request: vehicle_pb2.NextRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.NextReply:
        assert dict(context.invocation_metadata() or ())[SLOT_SECRET] == KNOWN
        return await self.shards.get()

    @override
    async def Finish(
        self, request: vehicle_pb2.FinishRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> vehicle_pb2.FinishReply:
        await self.finished.put(request)
        return vehicle_pb2.FinishReply()


class Vehicle:
    """A sidecar, a Slot service and a runner between them."""

    def __init__(
        self, sidecar: Sidecar, slot: Slot, agent: grpc.aio.Server, runner: asyncio.subprocess.Process
    ) -> None:
        self.sidecar, self.slot, self.agent, self.runner = sidecar, slot, agent, runner

    async def run(
        self, number: int, bodies: list[object], sha256: str | None = None
    ) -> vehicle_pb2.FinishRequest:
        """Offers a shard and waits for the runner's word on it."""
        request = self.sidecar.write_shard(f"in-{number}", bodies)
        reply = vehicle_pb2.NextReply(
            lease="lease",
            shard=number,
            attempt=f"attempt-{number}",
            input_name=request.input_name,
            input_sha256=sha256 or request.input_sha256,
            input_digest=request.input_digest,
        )
        await self.slot.shards.put(reply)
        async with asyncio.timeout(30):
            return await self.slot.finished.get()


@pytest.fixture
async def vehicle(int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vehicle]:
    """Everything of a slot but the agent's own work."""
    async with serving_sidecar(int8_bundle) as sidecar:
        slot, agent, socket = Slot(), grpc.aio.server(), sidecar.folder / "a"
        vehicle_pb2_grpc.add_SlotServicer_to_server(slot, agent)
        agent.add_insecure_port(f"unix:{socket}")
        await agent.start()
        monkeypatch.setenv("PARKADE_SLOT_SECRET", KNOWN)
        flags = ("--agent-socket", socket, "--sidecar-socket", sidecar.socket)
        runner = await start_module("parkade_agent.runner", *flags)
        yield Vehicle(sidecar, slot, agent, runner)
        await stop(runner)
        await agent.stop(None)


async def test_shards_go_round(vehicle: Vehicle) -> None:
    """Shard after shard is run by the sidecar and finished with its outcome and file; each has its line in the log."""
    first = await vehicle.run(0, [{"input": "one"}, {"input": ""}])
    second = await vehicle.run(1, [{"input": "two"}])
    assert (first.lease, first.shard, first.attempt) == ("lease", 0, "attempt-0")
    assert (first.outcome.succeeded, first.outcome.failed) == (1, 1)
    assert (vehicle.sidecar.folder / second.result_name).stat().st_size == second.outcome.size
    vehicle.runner.send_signal(signal.SIGTERM)
    output, errors = await vehicle.runner.communicate()
    lines = output.decode().splitlines()
    assert vehicle.runner.returncode == 0
    assert b"Traceback" not in errors
    assert lines[1].startswith("shard 0 done: 2 records, 1 of them errors in ")
    assert lines[2].startswith("shard 1 done: 1 records in ")
    assert lines[-1] == "stopped"


async def test_nothing_to_do_and_failed_shards_do_not_end_the_loop(vehicle: Vehicle) -> None:
    """An empty answer is asked again; a damaged shard is reported with its reason, and the next one runs."""
    await vehicle.slot.shards.put(vehicle_pb2.NextReply())
    damaged = await vehicle.run(0, [{"input": "one"}], sha256="0" * 64)
    assert damaged.reason == "ShardDamaged"
    assert "expected 0000" in damaged.message
    assert (await vehicle.run(1, [{"input": "one"}])).outcome.succeeded == 1


async def test_lost_sidecar_is_reported(vehicle: Vehicle) -> None:
    """A shard on which the sidecar dies is reported as lost at once."""
    assert (await vehicle.run(0, [{"input": "one"}])).outcome.succeeded == 1
    vehicle.sidecar.process.kill()
    await vehicle.sidecar.process.wait()
    lost = await vehicle.run(1, [{"input": "one"}])
    assert lost.reason == "SidecarLost"


async def test_runner_ends_with_its_agent(vehicle: Vehicle) -> None:
    """Without an agent there is nothing to do: exit code 1 and a sentence."""
    assert (await vehicle.run(0, [{"input": "one"}])).outcome.succeeded == 1
    await vehicle.agent.stop(None)
    _, errors = await vehicle.runner.communicate()
    assert vehicle.runner.returncode == 1
    assert any(line.startswith(b"parkade-runner: ") for line in errors.splitlines())
