"""What a slot does with results that its runner names wrongly, and with shards that it had before a restart."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent.attempts import AttemptBook
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.folders import own_folder
from parkade_agent.journal.attempts import Attempt
from parkade_agent.journal.journal import Journal
from parkade_agent.lanes import LentLanes
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.slot import Slot, Vehicle
from parkade_agent.session import Session, Voice
from parkade_agent.shards import Supply
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import Reason
from parkade_core.vehicle.death import Limits
from support.programs import sandbox

SHARD = b"a shard"
RESULT = b"a result\n"


class StillDoor(Door):
    """Gives out shards, never ends a bundle."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self.fetched: list[int] = []

    @override
    async def fetch(self, request: pb.FetchRequest, most_bytes: int) -> bytes:
        if request.HasField("bundle_file"):
            await asyncio.Event().wait()
        self.fetched.append(request.shard.shard)
        return SHARD


@contextlib.asynccontextmanager
async def living_slot(folder: Path, *in_hand: pb.LeasedShard) -> AsyncIterator[tuple[Slot, StillDoor]]:
    """A slot whose session is closed; *in_hand* it has from before."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel, asyncio.timeout(10):
        door = StillDoor(channel)
        session = Session(door, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
        journal = Journal(folder / "journal.sqlite")
        book = AttemptBook(own_folder(folder / "results"), journal, door, session)
        bundles = Bundles(folder / "bundles", door)
        supply = Supply(door, session, book)
        vehicle = Vehicle(SlotBrake(), sandbox(), bundles, supply, folder, folder, LentLanes(1), Limits())
        assignment = pb.Assignment(pod_uid="pod", batch_uid="batch", bundle_digest="sha256:" + "0" * 64)
        held = [Attempt("pod", "batch", "lease", shard) for shard in in_hand]
        slot = Slot(assignment, vehicle, held, lambda _: None)
        (slot.folder / "work").mkdir(parents=True, exist_ok=True)
        life = asyncio.create_task(slot.run())
        try:
            yield slot, door
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await book.stop()
            journal.close()


def leased(number: int) -> pb.LeasedShard:
    """A shard as the gateway leases it."""
    digest = hashlib.sha256(SHARD).hexdigest()
    return pb.LeasedShard(shard=number, attempt=f"attempt-{number}", size=len(SHARD), sha256=digest)


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
    async with living_slot(tmp_path) as (slot, _):
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[leased(1)]))
        taken = await slot.shards.next()
        await slot.shards.finish(finish(taken, name))
        assert slot.shards.held() == []


async def test_a_full_disk_is_no_fault_of_the_shard(tmp_path: Path) -> None:
    """The sidecar had no room for its result: the shard goes back as it is, and the slot ends with that reason."""
    async with living_slot(tmp_path) as (slot, _):
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[leased(1)]))
        failed = finish(await slot.shards.next(), "")
        failed.ClearField("outcome")
        failed.reason, failed.message = Reason.NO_SPACE, "result cannot be written: No space left on device"
        await slot.shards.finish(failed)
        await slot.has_ended.wait()
        assert (slot.status().reason, slot.status().message) == ("NoSpace", failed.message)


async def test_a_shard_whose_name_is_a_path_is_handed_back(tmp_path: Path) -> None:
    """Whatever a gateway calls an attempt, no file is made outside the slot's folder."""
    async with living_slot(tmp_path) as (slot, door):
        shard = leased(1)
        shard.attempt = "../../../tmp/planted"
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[shard]))
        assert slot.shards.held() == []
        assert door.fetched == []


async def test_a_slot_goes_on_with_what_it_had_in_hand(tmp_path: Path) -> None:
    """After a restart of the agent the same attempt goes on; only what is not on the disk is fetched again."""
    work = tmp_path / "pod" / "work"
    work.mkdir(parents=True)
    (work / "000001-attempt-1.in").write_bytes(SHARD)
    (work / "000002-attempt-2.in").write_bytes(b"torn")
    async with living_slot(tmp_path, leased(1), leased(2)) as (slot, door):
        for number in (1, 2):
            taken = await slot.shards.next()
            assert (taken.lease, taken.attempt) == ("lease", f"attempt-{number}")
            assert (work / taken.input_name).read_bytes() == SHARD
            (work / "result").write_bytes(RESULT)
            await slot.shards.finish(finish(taken, "result"))
        assert door.fetched == [2]


async def test_a_link_in_place_of_a_shard_is_not_followed(tmp_path: Path) -> None:
    """A model that runs in the slot's folder can aim the agent's writes at nothing."""
    work, aim = tmp_path / "pod" / "work", tmp_path / "aim"
    work.mkdir(parents=True)
    (work / "000001-attempt-1.in").symlink_to(aim)
    async with living_slot(tmp_path, leased(1)) as (slot, _):
        taken = await slot.shards.next()
        assert (work / taken.input_name).read_bytes() == SHARD
        assert not aim.exists()
