"""What the agent hands back so that the gateway can end a batch which no vehicle can finish."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import ShardFault
from parkade_models.bundle import Bundle
from support.vehicles import Certificates, Context, Door, certificates, open_door, running_agent, shards_of

TEXTS = [f"vehicle number {number} is parked" for number in range(10)]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


class DamagedDoor(Door):
    """A door whose store holds other bytes of a shard than were planned."""

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        async for chunk in super().Fetch(request, context):
            yield pb.Chunk(data=chunk.data[::-1]) if request.HasField("shard") else chunk


async def test_a_refused_result_is_handed_back_as_a_fault(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """The gateway hears the fault and the door's sentence, so that it can end a batch that would never end."""
    door = Door(int8_bundle.folder, shards_of(TEXTS, 10), refusals={0: "the result ends within a line"})
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: any(message.HasField("handback") for message in d.heard))
        handback = next(message.handback for message in door.heard if message.HasField("handback"))
        assert (handback.reason, list(handback.shards)) == (ShardFault.PIECE_REFUSED, [0])
        assert "ends within a line" in handback.message


async def test_a_shard_with_other_bytes_is_handed_back_as_a_fault(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """A shard that no vehicle can fetch whole is a fault of the shard, not a reason to lease it for ever."""
    door = DamagedDoor(int8_bundle.folder, shards_of(TEXTS, 10))
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: any(message.HasField("handback") for message in d.heard))
        handback = next(message.handback for message in door.heard if message.HasField("handback"))
        assert (handback.reason, list(handback.shards)) == (ShardFault.SHARD_DAMAGED, [0])
        assert "another digest" in handback.message
