"""What a slot does with results that its runner names wrongly, and with shards that it had before a restart."""

import hashlib
from pathlib import Path

import pytest

from parkade_agent.runtime.slot import Ending
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import Reason
from support.slots import SHARD, leased, living_slot

RESULT = b"a result\n"


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


async def test_what_lies_beside_the_sidecars_socket_ends_with_the_slot(tmp_path: Path) -> None:
    """That folder is every slot's: the next batch's programs must find nothing of this one's in it."""
    left = tmp_path / "sidecar" / "left"
    async with living_slot(tmp_path) as (slot, _):
        left.parent.mkdir(exist_ok=True)
        left.write_text("of this batch")
        slot.end(Ending("", "enough"))
        await slot.has_ended.wait()
        assert not left.exists()


async def test_a_shard_whose_name_is_a_path_is_dropped(tmp_path: Path) -> None:
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


async def test_a_link_to_the_shards_bytes_is_not_the_shard(tmp_path: Path) -> None:
    """What is behind it could be changed, or wait, as nothing in the slot's folder can."""
    work, aim = tmp_path / "pod" / "work", tmp_path / "aim"
    work.mkdir(parents=True)
    aim.write_bytes(SHARD)
    (work / "000001-attempt-1.in").symlink_to(aim)
    async with living_slot(tmp_path, leased(1)) as (slot, door):
        taken = await slot.shards.next()
        assert door.fetched == [1]
        assert not (work / taken.input_name).is_symlink()
