"""A gateway's two ports for simulated vehicles: enrols each by its number and gives it a door of its own."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_core.enrolment import simulated_vehicle
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority, requested_key
from parkade_operator.door.tls import Identity, peer_identity
from support.doors import Context
from support.vehicles import PATIENCE_SECONDS, Door

POD = "garage"


@dataclass
class SimulationGate(rpc.EnrolmentServicer, rpc.FleetServicer):  # type: ignore[misc] # four calls are all that is served
    """Knows one pod; each of its vehicles has a door and a batch of its own in `doors`, by its id."""

    authority: Authority
    bundle: Path
    shards: list[bytes]
    doors: dict[str, Door] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def all_doors(self, vehicles: int) -> dict[str, Door]:
        """The doors, when that many vehicles have come and their guards have heard the pool's rules."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.news:
            await self.news.wait_for(lambda: len(self.doors) >= vehicles)
        await asyncio.gather(*(door.until(Door.policy_followed) for door in self.doors.values()))
        return self.doors

    @override
    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolReply:  # type: ignore[override]
        vehicle = simulated_vehicle(POD, request.simulated)
        key = requested_key(request.csr)
        return pb.EnrolReply(certificate=self.authority.sign(key, Identity(vehicle)))

    @override
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        async with self.news:
            door = self.doors.setdefault(_vehicle(context), Door(self.bundle, self.shards))
            self.news.notify_all()
        async for message in door.Session(request_iterator, context):
            yield message

    @override
    async def Fetch(  # type: ignore[override]
        self, request: pb.FetchRequest, context: Context
    ) -> AsyncIterator[pb.Chunk]:
        async for chunk in self.doors[_vehicle(context)].Fetch(request, context):
            yield chunk

    @override
    async def Store(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.StoreRequest], context: Context
    ) -> pb.StoreReply:
        return await self.doors[_vehicle(context)].Store(request_iterator, context)


def _vehicle(context: Context) -> str:
    return peer_identity(context).vehicle


@contextlib.asynccontextmanager
async def open_gate(bundle: Path, shards: list[bytes]) -> AsyncIterator[tuple[SimulationGate, str, str]]:
    """The gate, and the addresses of its door and of enrolment, host:port."""
    authority = Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"], vehicle_seconds=3600)
    gate = SimulationGate(authority, bundle, shards)
    door, enrolment = grpc.aio.server(), grpc.aio.server()
    rpc.add_FleetServicer_to_server(gate, door)
    rpc.add_EnrolmentServicer_to_server(gate, enrolment)
    ports = (
        door.add_secure_port("127.0.0.1:0", gate.authority.port_credentials(vehicles_only=True)),
        enrolment.add_secure_port("127.0.0.1:0", gate.authority.port_credentials()),
    )
    await asyncio.gather(door.start(), enrolment.start())
    try:
        yield gate, *(f"127.0.0.1:{port}" for port in ports)
    finally:
        await asyncio.gather(door.stop(grace=None), enrolment.stop(grace=None))
