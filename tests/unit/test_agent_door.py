"""How long the agent waits for the gateway's door: a slow link may take its time, a silent one may not."""

import asyncio
import contextlib
import errno
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent import door as agent_door
from parkade_agent.errors import BundleRefused, DoorRefused
from parkade_agent.runtime.slot import _failure
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc
from support.vehicles import Context, Door, certificates, open_door

SHARD = pb.FetchRequest(shard=pb.ShardRef(shard=0))


@dataclass
class TimedDoor(Door):
    """A door that notes how many seconds each call gives it, and keeps silent in the first *silences* fetches."""

    silences: int = 0
    seconds: list[float | None] = field(default_factory=list)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        self.seconds.append(context.time_remaining())
        self.is_asked.set()
        if len(self.seconds) <= self.silences:
            yield pb.Chunk(data=b"half a")
            await asyncio.Event().wait()
        async for chunk in super().Fetch(request, context):
            yield chunk

    @override
    async def Store(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.StoreRequest], context: Context
    ) -> pb.StoreReply:
        self.seconds.append(context.time_remaining())
        return pb.StoreReply()


@contextlib.asynccontextmanager
async def reached(door: Door) -> AsyncIterator[agent_door.Door]:
    """The agent's side of *door*, over a loopback port."""
    server = grpc.aio.server()
    fleet_pb2_grpc.add_FleetServicer_to_server(door, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(20):
            yield agent_door.Door(channel)
    finally:
        await server.stop(grace=None)


async def test_a_fetch_may_take_as_long_as_bytes_arrive(tmp_path: Path) -> None:
    """No deadline covers the whole of a fetch, so a slow link finishes it some day."""
    door = TimedDoor(tmp_path, [b"a shard"])
    async with reached(door) as reach:
        assert await reach.fetch(SHARD, 100) == b"a shard"
    assert door.seconds == [None]


async def test_a_silent_fetch_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A door that sends nothing more for the idle limit is asked anew, from the first byte."""
    monkeypatch.setattr(agent_door, "IDLE_SECONDS", 0.3)
    door = TimedDoor(tmp_path, [b"a shard"], silences=1)
    async with reached(door) as reach:
        assert await reach.fetch(SHARD, 100) == b"a shard"
    assert len(door.seconds) >= 2


async def test_a_fetch_survives_the_end_of_its_channel(tmp_path: Path) -> None:
    """The oldest channel is closed when the keys change often: its fetch begins anew, and ends with its own task."""
    certs = certificates(tmp_path)
    door = TimedDoor(tmp_path, [b"a shard"], silences=1)
    async with open_door(door, certs) as port, asyncio.timeout(20):
        key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
        keys = agent_door.Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), key, certificate)
        reach = agent_door.Door(agent_door.open_channel(keys))
        fetch = asyncio.create_task(reach.fetch(SHARD, 100))
        await door.is_asked.wait()
        for _ in range(2):
            await reach.change(keys)
        assert await fetch == b"a shard"
        door.silences, door.is_asked = 3, asyncio.Event()
        fetch = asyncio.create_task(reach.fetch(SHARD, 100))
        await door.is_asked.wait()
        fetch.cancel()
        await asyncio.wait([fetch])
        assert fetch.cancelled()
        assert _failure(fetch).reason == "Error"
        await reach.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("Failed to bind to address unix:/media/stick/s/a"), "the vehicle's log says why"),
        (OSError(errno.EROFS, "Read-only file system", "/media/stick/s"), "Read-only file system"),
        (OSError("/media/stick/s"), "the vehicle's log says why"),
        (BundleRefused("bundle.sig is missing"), "bundle.sig is missing"),
    ],
)
async def test_why_a_slot_failed_is_told_without_a_path(error: Exception, told: str) -> None:
    """Paths of the vehicle stand in its log."""
    life = asyncio.create_task(_fail(error))
    await asyncio.wait([life])
    message = _failure(life).message
    assert told in message
    assert "/media/" not in message


async def _fail(error: Exception) -> None:
    raise ExceptionGroup("of a slot", [error])


async def test_a_store_has_time_for_its_bytes(tmp_path: Path) -> None:
    """A large piece may take longer than a small one: a link of 8 KiB each second finishes both."""
    door = TimedDoor(tmp_path, [])
    async with reached(door) as reach:
        for size in (1, 8 << 20):
            await reach.store(pb.PieceHeader(), bytes(size))
    small, large = door.seconds
    assert small is not None
    assert large is not None
    assert small > 60
    assert large > (8 << 20) / 8192


async def test_a_download_begins_anew_and_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a first try that fell silent is left in the file; more than was announced is refused."""
    monkeypatch.setattr(agent_door, "IDLE_SECONDS", 0.3)
    door = TimedDoor(tmp_path, [b"a shard"], silences=1)
    path = tmp_path / "file"
    async with reached(door) as reach:
        assert await reach.download(SHARD, 7, path) == hashlib.sha256(b"a shard").hexdigest()
        assert path.read_bytes() == b"a shard"
        with pytest.raises(DoorRefused, match="more than the 6 bytes announced"):
            await reach.download(SHARD, 6, path)


@dataclass
class StuckDoor(Door):
    """Begins to read a piece, and reads on when it is let."""

    may_read: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    broken_off: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def Store(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.StoreRequest], context: Context
    ) -> pb.StoreReply:
        self.begun.put_nowait((await anext(request_iterator)).header.lease)
        try:
            await self.may_read.wait()
            while True:
                await anext(request_iterator)
        except StopAsyncIteration:
            return pb.StoreReply()
        except asyncio.CancelledError:
            self.broken_off.set()
            raise


async def test_a_link_that_costs_breaks_off_what_it_carries(tmp_path: Path) -> None:
    """A store in the middle ends; it begins anew, as a fetch does, when the link may carry work again."""
    door = StuckDoor(tmp_path, [b"a shard"])
    async with reached(door) as reach, asyncio.timeout(20):
        store = asyncio.create_task(reach.store(pb.PieceHeader(lease="x"), bytes(16 << 20)))
        assert await door.begun.get() == "x"
        reach.carry_work(may=False)
        door.may_read.set()
        await door.broken_off.wait()
        fetch = asyncio.create_task(reach.fetch(SHARD, 100))
        await asyncio.wait([store, fetch], timeout=0.5)
        assert (store.done(), fetch.done(), door.begun.empty()) == (False, False, True)
        reach.carry_work(may=True)
        assert await fetch == b"a shard"
        assert await store == pb.StoreReply()
