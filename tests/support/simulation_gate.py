"""A gateway's two ports for simulated vehicles: enrols each by its number and keeps what every session tells."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
from typing_extensions import override

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_core.enrolment import simulated_vehicle
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority, requested_key
from parkade_operator.door.tls import Identity, peer_identity
from support.doors import Context
from support.vehicles import POLICY

POD = "garage"


@dataclass
class SimulationGate(rpc.EnrolmentServicer, rpc.FleetServicer):  # type: ignore[misc] # two calls are all that is served
    """Knows one pod; `told` has the newest telemetry of each vehicle."""

    authority: Authority
    told: dict[str, pb.Telemetry] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @override
    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolReply:  # type: ignore[override]
        vehicle = simulated_vehicle(POD, request.simulated)
        key = requested_key(request.csr)
        return pb.EnrolReply(certificate=self.authority.sign(key, Identity(vehicle)))

    @override
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        vehicle = peer_identity(context).vehicle
        yield pb.GatewayMessage(welcome=pb.Welcome(gateway_version="test", beat_seconds=1))
        yield pb.GatewayMessage(policy=POLICY)
        async for message in request_iterator:
            if message.HasField("telemetry"):
                async with self.news:
                    self.told[vehicle] = message.telemetry
                    self.news.notify_all()

    async def until_told(self, vehicles: int, state: str, seconds: float = 60) -> None:
        """Waits until that many vehicles have said that their guard is in *state*."""
        async with asyncio.timeout(seconds), self.news:
            await self.news.wait_for(
                lambda: sum(told.guard_state == state for told in self.told.values()) >= vehicles
            )


@contextlib.asynccontextmanager
async def open_gate() -> AsyncIterator[tuple[SimulationGate, str, str]]:
    """The gate, and the addresses of its door and of enrolment, host:port."""
    gate = SimulationGate(
        Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"], vehicle_seconds=3600)
    )
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
