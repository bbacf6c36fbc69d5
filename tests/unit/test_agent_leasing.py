"""When a slot leases shards, and what becomes of them when the vehicle cannot keep them."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_models.bundle import Bundle
from support.vehicles import Certificates, Context, Door, certificates, open_door, running_agent, shards_of

TEXTS = [f"vehicle number {number} is parked" for number in range(20)]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


@dataclass
class SlowDoor(Door):
    """A door that sends no bytes of a bundle, or of a shard, before it is let."""

    may_send_bundle: asyncio.Event = field(default_factory=asyncio.Event)
    may_send_shards: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        await (self.may_send_shards if request.HasField("shard") else self.may_send_bundle).wait()
        async for chunk in super().Fetch(request, context):
            yield chunk

    def leased(self) -> bool:
        """Whether the vehicle has asked for shards."""
        return any(message.HasField("lease_request") for message in self.heard)


async def test_nothing_is_leased_while_the_bundle_is_fetched(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """A session that comes back during the download asks for no shards: there is no folder for them yet."""
    door = SlowDoor(int8_bundle.folder, shards_of(TEXTS, 10))
    door.may_send_shards.set()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.statuses())
        door.say(pb.GatewayMessage(welcome=pb.Welcome(beat_seconds=1)))
        door.say(pb.GatewayMessage(end_assignment=pb.EndAssignment(pod_uid="pod-0")))
        await door.until(lambda d: d.ended("pod-0"))
        assert not door.leased()
        door.may_send_bundle.set()
        await door.until(lambda d: len(d.results) == len(d.shards))


async def test_a_shard_that_cannot_be_kept_ends_the_slot(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """A failing disk is the vehicle's fault: its shards go back without a fault of theirs, and the slot ends."""
    door = SlowDoor(int8_bundle.folder, shards_of(TEXTS, 10))
    door.may_send_bundle.set()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.leased())
        shutil.rmtree(agent.state / "slots" / "pod-1" / "work")
        door.may_send_shards.set()
        ended = await door.until(lambda d: d.ended())
        assert ended.reason == "NoSpace"
        assert "No such file" in ended.message
        await door.until(lambda d: set(d.handed_back) == set(range(d.next_shard)))
        handbacks = [message.handback for message in door.heard if message.HasField("handback")]
        assert {handback.reason for handback in handbacks} <= {"NoSpace"}


async def test_a_grant_for_a_slot_that_is_gone_is_handed_back(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """A grant that crosses the end of its slot costs no lease's time: its shards go back at once, blameless."""
    door = SlowDoor(int8_bundle.folder, shards_of(TEXTS, 10))
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.statuses())
        while door.statuses()[-1].message != "no such slot":
            heard = len(door.statuses())
            door.say(pb.GatewayMessage(end_assignment=pb.EndAssignment(pod_uid="pod-1", reason="Deleted")))
            await door.until(lambda d, heard=heard: len(d.statuses()) > heard)
        shards = [pb.LeasedShard(shard=shard, attempt=f"attempt-{shard}") for shard in (3, 4)]
        door.say(pb.GatewayMessage(lease_grant=pb.LeaseGrant(pod_uid="pod-1", lease="late", shards=shards)))
        await door.until(lambda d: d.handed_back)
        back = next(message.handback for message in door.heard if message.HasField("handback"))
        assert back == pb.Handback(batch_uid="batch-1", lease="late", shards=[3, 4])
