"""What the door lets in, with real sockets: silence, giants, crowds and callers who ask too much."""

import asyncio
import datetime as dt
import socket
from collections.abc import AsyncIterator

import grpc
import pytest

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc as rpc
from parkade_core.bucket import Limit
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority
from parkade_operator.door.limits import (
    DOOR_OPTIONS,
    Exhausted,
    Meter,
    Transfers,
    address_of,
    cost_of_message,
)
from parkade_operator.door.sessions import NOT_READ, Session
from parkade_operator.door.tls import Identity
from support.doors import Context, EchoDoor, open_port, silence

AUTHORITY = Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"])
QUICK = {
    "grpc.server_handshake_timeout_ms": 1000,
    "grpc.max_connection_idle_ms": 1000,
    "grpc.max_allowed_incoming_connections": 3,
}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A port with the door's limits, the slow ones shortened."""
    assert QUICK.keys() <= dict(DOOR_OPTIONS).keys()
    options = tuple((dict(DOOR_OPTIONS) | QUICK).items())
    async with open_port(EchoDoor(), AUTHORITY.port_credentials(), options) as bound:
        yield bound


def dial(port: int) -> grpc.aio.Channel:
    """A caller of *port*, which does not limit itself."""
    roots = grpc.ssl_channel_credentials(AUTHORITY.certificate)
    options = [("grpc.max_send_message_length", -1)]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", roots, options=options)


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n"], ids=["none", "tls", "http"])
async def test_a_socket_that_does_not_say_who_it_is_is_closed(port: int, first: bytes) -> None:
    """A slow handshake holds a socket for the time limit and no longer, and nobody else waits for it."""
    assert await asyncio.to_thread(silence, port, first) < 5


async def test_a_connection_that_asks_nothing_is_closed(port: int) -> None:
    """Open connections are for sessions; one without a call is given up and dialled again when it is needed."""
    async with dial(port) as channel:
        stub: rpc.FleetAsyncStub = rpc.FleetStub(channel)
        call = stub.Session()
        await call.write(pb.VehicleMessage())
        await call.read()
        await call.done_writing()
        async with asyncio.timeout(10):
            while channel.get_state() is grpc.ChannelConnectivity.READY:
                await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert channel.get_state() is not grpc.ChannelConnectivity.READY


async def test_a_giant_message_is_refused(port: int) -> None:
    """Ten megabytes end the call in words before they are read, and the port serves on."""
    hello = pb.VehicleMessage(hello=pb.Hello(agent_version="x" * 10_000_000))
    async with dial(port) as channel:
        stub: rpc.FleetAsyncStub = rpc.FleetStub(channel)
        call = stub.Session(iter([hello]))
        with pytest.raises(grpc.aio.AioRpcError, match="larger than max") as refusal:
            await call.read()
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await stub.Session(iter([pb.VehicleMessage()])).read()


async def test_a_crowd_is_let_in_up_to_a_number(port: int) -> None:
    """More connections than the limit are closed at once; the ones that are there stay."""
    crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    try:
        turned_away = 0
        for connection in crowd:
            connection.settimeout(0.2)
            try:
                turned_away += not await asyncio.to_thread(connection.recv, 1)
            except TimeoutError:
                continue
        assert turned_away >= 5
    finally:
        for connection in crowd:
            connection.close()


class TalkingDoor(rpc.FleetServicer):
    """Tells a vehicle more than it reads."""

    def __init__(self) -> None:
        self.session = Session(Identity("ada"))
        self.over = asyncio.Event()

    async def Session(self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context) -> None:  # noqa: N802
        """Serves one session."""
        for _ in range(1000):
            self.session.send(pb.GatewayMessage(welcome=pb.Welcome(gateway_version="x" * 100_000)))
        await self.session.converse(request_iterator, lambda *_: None, context.write, unread_seconds=0.5)
        self.over.set()
        await context.abort(NOT_READ.code, NOT_READ.words)


async def test_a_vehicle_that_does_not_read_loses_its_session_in_time() -> None:
    """Its socket is open and answers pings, but the bytes pile up: the session ends, and the backlog with it."""
    door = TalkingDoor()
    async with open_port(door, AUTHORITY.port_credentials(), DOOR_OPTIONS) as port, dial(port) as channel:
        stub: rpc.FleetAsyncStub = rpc.FleetStub(channel)
        call = stub.Session()
        await call.write(pb.VehicleMessage())
        await asyncio.wait_for(door.over.wait(), 10)
        assert door.session.ending is NOT_READ
        call.cancel()


def test_each_caller_has_a_share_of_its_own() -> None:
    """One who asks too much is told when to come back, and takes nothing from others."""
    now = 0.0
    meter = Meter(Limit(rate=2, burst=3), lambda: now)
    for _ in range(3):
        meter.charge("ada")
    with pytest.raises(Exhausted, match=r"more than 2 a second: try again in 0\.5 s"):
        meter.charge("ada")
    meter.charge("bob")
    now = 120.0
    meter.charge("bob")
    assert set(meter._buckets) == {"bob"}


@pytest.mark.parametrize(("size", "cost"), [(0, 1), (16 * 1024, 1), (32 * 1024, 2), (1024 * 1024, 64)])
def test_a_message_costs_by_its_bytes(size: int, cost: float) -> None:
    """Small talk is counted by message, giants by what it takes to read them."""
    assert cost_of_message(size) == cost


def test_the_quietest_of_too_many_callers_are_forgotten() -> None:
    """Callers who change their address all the time cost bounded memory and free nobody who keeps his."""
    meter = Meter(Limit(rate=1, burst=2), lambda: 0.0, most=2)
    for peer in ("ipv4:192.0.2.1:1", "ipv4:192.0.2.2:1", "ipv4:192.0.2.1:2", "ipv6:%5B::1%5D:1"):
        meter.charge(address_of(peer))
    assert list(meter._buckets) == ["ipv4:192.0.2.1", "ipv6:%5B::1%5D"]
    with pytest.raises(Exhausted):
        meter.charge(address_of("ipv4:192.0.2.1:3"))


def test_transfers_are_counted_while_they_run() -> None:
    """A vehicle has so many at once; one that ends, however it ends, makes room."""
    transfers = Transfers(most=2)
    with transfers.one("ada"), transfers.one("bob"):
        with transfers.one("ada"), pytest.raises(Exhausted, match="2 transfers"), transfers.one("ada"):
            pass
        with pytest.raises(RuntimeError, match="broken"), transfers.one("ada"):
            raise RuntimeError("broken")
        with transfers.one("ada"):
            pass
    assert transfers._open == {}


def test_the_bytes_of_all_transfers_together_are_bounded() -> None:
    """However many vehicles send at once, the gateway has memory left; who does not fit is asked to try again."""
    transfers = Transfers(most_held=10)
    with transfers.memory() as hold:
        hold(4)
        hold(3)
        with transfers.memory() as other:
            other(2)
            with pytest.raises(Exhausted, match="try again"):
                other(2)
        hold(3)
    with transfers.memory() as hold:
        hold(10)
