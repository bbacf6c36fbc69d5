"""What a slot does with results that its runner names wrongly, and when storing them fails by itself."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.lanes import LentLanes
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.slot import Slot, Vehicle
from parkade_agent.session import Session, Voice
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_core.vehicle.death import Limits
from support.programs import sandbox

SHARD = b"a shard"
RESULT = b"a result\n"


class BrokenDoor(Door):
    """Gives out shards, never ends a bundle, and breaks when something is stored."""

    @override
    async def fetch(self, request: pb.FetchRequest, most_bytes: int) -> bytes:
        if request.HasField("bundle_file"):
            await asyncio.Event().wait()
        return SHARD

    @override
    async def store(self, header: pb.PieceHeader, data: bytes) -> pb.StoreReply:
        raise RuntimeError("a defect of the agent")


@contextlib.asynccontextmanager
async def living_slot(folder: Path) -> AsyncIterator[tuple[Slot, vehicle_pb2.NextReply]]:
    """A slot that holds one shard, which its runner has taken; its session is closed."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel, asyncio.timeout(10):
        door = BrokenDoor(channel)
        session = Session(door, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
        bundles = Bundles(folder / "bundles", door)
        vehicle = Vehicle(
            SlotBrake(), sandbox(), bundles, door, session, folder, folder, LentLanes(1), Limits()
        )
        assignment = pb.Assignment(pod_uid="pod", batch_uid="batch", bundle_digest="sha256:" + "0" * 64)
        slot = Slot(assignment, vehicle, lambda _: None)
        (slot.folder / "work").mkdir(parents=True)
        life = asyncio.create_task(slot.run())
        shard = pb.LeasedShard(
            shard=1, attempt="a", size=len(SHARD), sha256=hashlib.sha256(SHARD).hexdigest()
        )
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[shard]))
        try:
            yield slot, await slot.shards.next()
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


def finish(taken: vehicle_pb2.NextReply, result_name: str) -> vehicle_pb2.FinishRequest:
    """The runner's word that *taken* succeeded."""
    outcome = vehicle_pb2.ShardOutcome(size=len(RESULT), sha256=hashlib.sha256(RESULT).hexdigest())
    return vehicle_pb2.FinishRequest(
        lease=taken.lease,
        shard=taken.shard,
        attempt=taken.attempt,
        result_name=result_name,
        outcome=outcome,
    )


@pytest.mark.parametrize("name", ["", "..", "../result"])
async def test_a_result_that_names_no_file_is_none(tmp_path: Path, name: str) -> None:
    """The shard is given up at once: nothing outside the slot's folder is ever looked at."""
    async with living_slot(tmp_path) as (slot, taken):
        slot.shards.finish(finish(taken, name))
        assert slot.shards.held() == []


async def test_a_slot_that_cannot_store_ends(tmp_path: Path) -> None:
    """A defect in storing ends the slot with its sentence and gives every shard back, instead of hanging."""
    async with living_slot(tmp_path) as (slot, taken):
        (slot.folder / "work" / "result").write_bytes(RESULT)
        slot.shards.finish(finish(taken, "result"))
        await slot.has_ended.wait()
        assert (slot.status().reason, slot.status().message) == ("Error", "a defect of the agent")
        assert slot.shards.held() == []
