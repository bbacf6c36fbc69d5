"""A slot of a vehicle whose gateway is away and whose bundle never comes: what it does with shards, by itself."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
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
from parkade_core.vehicle.death import Limits
from support.programs import sandbox

SHARD = b"a shard"


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
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel, asyncio.timeout(60):
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
