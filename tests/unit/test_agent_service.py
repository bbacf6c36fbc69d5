"""The agent's socket for its runner: whoever can open it and does not know the slot's secret hears nothing."""

from pathlib import Path

import grpc
import pytest

from parkade_agent.runtime.service import serving
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_api.wellknown import SLOT_SECRET
from support.slots import leased, living_slot


async def explain(message: str, _since: float) -> str:
    """Nothing more is known."""
    return message


@pytest.mark.parametrize("shown", [(), ((SLOT_SECRET, ""),), ((SLOT_SECRET, "0" * 64),)])
async def test_a_stranger_is_refused(tmp_path: Path, shown: tuple[tuple[str, str], ...]) -> None:
    """It takes no shard and finishes none; the runner beside it goes on."""
    async with living_slot(tmp_path) as (slot, _):
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[leased(1)]))
        socket = tmp_path / "a"
        async with (
            serving(slot.shards, socket, explain) as secret,
            grpc.aio.insecure_channel(f"unix:{socket}") as channel,
        ):
            stub = vehicle_pb2_grpc.SlotStub(channel)
            finish = vehicle_pb2.FinishRequest(lease="lease", shard=1, attempt="attempt-1", reason="NoResult")
            for call in (
                stub.Next(vehicle_pb2.NextRequest(), metadata=shown),
                stub.Finish(finish, metadata=shown),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert [attempt.shard.shard for attempt in slot.shards.held()] == [1]
            taken = await stub.Next(vehicle_pb2.NextRequest(), metadata=((SLOT_SECRET, secret),))
            assert taken.shard == 1


async def test_each_slot_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """A runner of the last slot is a stranger to this one."""
    async with living_slot(tmp_path) as (slot, _):
        known = set[str]()
        for _round in range(2):
            async with serving(slot.shards, tmp_path / "a", explain) as secret:
                known.add(secret)
    assert len(known) == 2
