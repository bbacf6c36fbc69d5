"""A link that dies without a word: both sides know within twenty seconds, by the keepalive that each of them has."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent.door import Door, Keys, open_channel
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_operator.door.limits import DOOR_OPTIONS
from support.cable import Cable
from support.doors import Context, open_port
from support.vehicles import certificates

pytestmark = pytest.mark.long(25)


class QuietDoor(rpc.FleetServicer):
    """Welcomes a vehicle, says nothing more, and notes when its session is over."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    @override
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        yield pb.GatewayMessage(welcome=pb.Welcome())
        try:
            async for _ in request_iterator:
                pass
        finally:
            self.over.set()


async def hello(silence: asyncio.Event) -> AsyncIterator[pb.VehicleMessage]:
    """A vehicle that says hello and then has nothing to say."""
    yield pb.VehicleMessage(hello=pb.Hello())
    await silence.wait()


async def test_a_half_open_connection_is_given_up_on_both_sides(tmp_path: Path) -> None:
    """The sockets stay open and nothing is sent: the agent's call fails, and the door's session ends."""
    certs, door, cable, silence = certificates(tmp_path), QuietDoor(), Cable(), asyncio.Event()
    port_keys = [(certs.door.key.read_bytes(), certs.door.cert.read_bytes())]
    credentials = grpc.ssl_server_credentials(port_keys, certs.ca.read_bytes(), require_client_auth=True)
    async with open_port(door, credentials, DOOR_OPTIONS) as port, cable.to(port) as near:
        key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
        reach = Door(open_channel(Keys(f"127.0.0.1:{near}", certs.ca.read_bytes(), key, certificate)))
        call = reach.session(hello(silence))
        assert isinstance(await call.read(), pb.GatewayMessage)
        cable.die()
        began = time.monotonic()
        async with asyncio.timeout(45):
            with pytest.raises(grpc.aio.AioRpcError) as cut:
                await call.read()
            vehicle_knew = time.monotonic() - began
            await door.over.wait()
        assert cut.value.code() is grpc.StatusCode.UNAVAILABLE
        # Twenty seconds are promised; the rest is for a machine that is busy.
        assert vehicle_knew < 30
        assert time.monotonic() - began < 30
        silence.set()
        await reach.close()
