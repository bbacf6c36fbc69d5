"""A vehicle out of sight: leased work goes on, is sent late and once, and ends when the pool's patience does."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from typing_extensions import override

from parkade_agent import durable
from parkade_agent.attempts import AttemptBook
from parkade_agent.door import Door as AgentDoor
from parkade_agent.door import Keys, open_channel
from parkade_agent.journal.attempts import Fate
from parkade_agent.journal.journal import Journal
from parkade_agent.session import Session, Voice
from parkade_agent.shards import Shards, Supply
from parkade_agent.wire import held_leases, lost_keys
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_hack.processes import free_port
from support.bare import BareDoor
from support.fates import fate_of
from support.parked import POLICY
from support.vehicles import Certificates, Context, Door, certificates, open_door, running_agent

SHARDS = [f"record {number}\n".encode() for number in range(2)]
RESULT = b"a result\n"


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


class Van:
    """A vehicle's session, its book of attempts, and the shards of one slot, whose runner is the test."""

    def __init__(self, folder: Path, channel: AgentDoor) -> None:
        self.session = Session(channel, Voice(self._hello, pb.Telemetry, self._hear), 1.0)
        self.journal = Journal(folder / "journal.sqlite")
        for name in ("results", "work"):
            (folder / name).mkdir()
        self.book = AttemptBook(folder / "results", self.journal, channel, self.session)
        self.work = folder / "work"
        assignment = pb.Assignment(pod_uid="pod-1", batch_uid="batch-1")
        supply = Supply(channel, self.session, self.book)
        self.shards = Shards(assignment, self.work, supply, [], lambda _: None, lambda _: None)

    async def take(self) -> vehicle_pb2.NextReply:
        """The runner gets a shard."""
        async with asyncio.timeout(20):
            while not (taken := await self.shards.next()).lease:
                pass
        return taken

    async def finish(self, taken: vehicle_pb2.NextReply) -> None:
        """The runner says that the sidecar has written the result."""
        (self.work / "result").write_bytes(RESULT)
        outcome = vehicle_pb2.ShardOutcome(
            size=len(RESULT), output_size=len(RESULT), sha256=hashlib.sha256(RESULT).hexdigest(), succeeded=1
        )
        await self.shards.finish(
            vehicle_pb2.FinishRequest(
                lease=taken.lease,
                shard=taken.shard,
                attempt=taken.attempt,
                outcome=outcome,
                result_name="result",
            )
        )

    def fates(self) -> list[Fate | None]:
        """What the vehicle knows of its two attempts."""
        return [fate_of(self.journal, f"attempt-1-{number}") for number in range(len(SHARDS))]

    def _hello(self) -> pb.Hello:
        held = (*self.shards.held(), *self.book.unsent())
        return pb.Hello(leases=held_leases(held, self.session.unsaid()))

    def _hear(self, message: pb.GatewayMessage) -> None:
        if message.HasField("welcome"):
            self.shards.welcomed()
        if message.HasField("lease_grant"):
            self.shards.granted(message.lease_grant)
        if message.HasField("losses"):
            self.shards.lost(lost_keys(message.losses))


@contextlib.asynccontextmanager
async def van(folder: Path, port: int, certs: Certificates) -> AsyncIterator[Van]:
    """A van that keeps dialling *port*."""
    key, certificate = certs.vehicle.key.read_bytes(), certs.vehicle.cert.read_bytes()
    async with open_channel(Keys(f"127.0.0.1:{port}", certs.ca.read_bytes(), key, certificate)) as channel:
        made = Van(folder, AgentDoor(channel))
        session = asyncio.create_task(made.session.run())
        try:
            yield made
        finally:
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
            made.shards.close("")
            await made.book.stop()
            made.journal.close()


async def until(what: Callable[[], object]) -> None:
    """Waits for something that nobody tells."""
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - it is a property
            await asyncio.sleep(0.02)


async def in_a_tunnel(vehicle: Van, door: Door, certs: Certificates, port: int) -> None:
    """The vehicle leases both shards, loses the gateway, and works on until it has no more."""
    async with open_door(door, certs, port):
        first = await vehicle.take()
        await door.until(lambda d: d.fetched == [0, 1])
        second_is_there = vehicle.work / "000001-attempt-1-1.in"
        await until(second_is_there.exists)
    await until(lambda: not vehicle.session.is_open)
    await vehicle.finish(first)
    await vehicle.finish(await vehicle.take())
    assert len(list(vehicle.book.unsent())) == 2
    assert vehicle.session.silent_seconds > 0


async def test_a_tunnel_costs_nothing(tmp_path: Path, certs: Certificates) -> None:
    """What was leased is finished out of sight, and uploaded once when the vehicle is seen again."""
    port, door = free_port(), Door(tmp_path, SHARDS)
    async with van(tmp_path, port, certs) as vehicle:
        await in_a_tunnel(vehicle, door, certs, port)
        async with open_door(door, certs, port):
            await door.until(lambda d: len(d.results) == 2)
            await vehicle.book.drained()
        assert sorted(row.shard for header in door.stored for row in header.results) == [0, 1]
        assert vehicle.fates() == [Fate.COMMITTED, Fate.COMMITTED]


async def test_a_link_that_costs_carries_no_work(tmp_path: Path, certs: Certificates) -> None:
    """Nothing is leased or stored meanwhile; what was finished is sent once when the link costs no more."""
    port, door = free_port(), Door(tmp_path, SHARDS)
    async with van(tmp_path, port, certs) as vehicle, open_door(door, certs, port):
        first = await vehicle.take()
        await until((vehicle.work / "000001-attempt-1-1.in").exists)
        vehicle.book.carry_work(may=False)
        await vehicle.finish(first)
        await vehicle.finish(await vehicle.take())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(vehicle.book.drained(), 0.5)
        assert (vehicle.book.room, door.stored, vehicle.session.is_open) == (0, [], True)
        vehicle.book.carry_work(may=True)
        await vehicle.book.drained()
        assert sorted(row.shard for header in door.stored for row in header.results) == [0, 1]


async def test_after_long_absence_the_vehicle_learns_who_was_first(
    tmp_path: Path, certs: Certificates
) -> None:
    """Another vehicle has committed a shard meanwhile: that attempt is lost, the other one counts."""
    port, door = free_port(), Door(tmp_path, SHARDS)
    async with van(tmp_path, port, certs) as vehicle:
        await in_a_tunnel(vehicle, door, certs, port)
        door.lost.add(0)
        async with open_door(door, certs, port):
            await door.until(lambda d: len(d.results) == 2)
            await vehicle.book.drained()
        assert vehicle.fates() == [Fate.LOST, Fate.COMMITTED]


async def test_what_others_have_by_now_is_not_worked_on(tmp_path: Path, certs: Certificates) -> None:
    """It is dropped, the one at work too: nothing is sent, handed back or left; the same shard leased anew stays."""
    port, door = free_port(), Door(tmp_path, SHARDS)
    losses = pb.Losses(leases=[pb.LeaseLoss(lease="lease-1", shards=[0, 1, 7])])
    async with van(tmp_path, port, certs) as vehicle:
        async with open_door(door, certs, port):
            at_work = await vehicle.take()
            await until((vehicle.work / "000001-attempt-1-1.in").exists)
        await until(lambda: not vehicle.session.is_open)
        door.next_shard = 1
        async with open_door(door, certs, port):
            await until(lambda: vehicle.session.is_open)
            for _ in range(2):  # also when it is told again, after the grant that follows
                door.say(pb.GatewayMessage(losses=losses))
                await until((vehicle.work / "000001-attempt-2-1.in").exists)
            assert vehicle.shards.is_at_work, "a hung program must be found all the same"
            await vehicle.finish(at_work)
            assert not vehicle.shards.is_at_work
            anew = await vehicle.take()
            await vehicle.finish(anew)
            await vehicle.book.drained()
        assert (at_work.attempt, anew.attempt) == ("attempt-1-0", "attempt-2-1")
        assert vehicle.fates() == [Fate.LOST, Fate.LOST]
        assert fate_of(vehicle.journal, "attempt-2-1") is Fate.COMMITTED
        assert [row.attempt for header in door.stored for row in header.results] == ["attempt-2-1"]
        assert (door.handed_back, list(vehicle.work.iterdir())) == ([], [])


@dataclass
class LateDoor(Door):
    """Answers who fetches a shard when it is let, with its bytes or with a refusal."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: bool = False

    @override
    async def Fetch(self, request: pb.FetchRequest, context: Context) -> AsyncIterator[pb.Chunk]:  # type: ignore[override]
        await self.may_answer.wait()
        if self.refuses:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is no such shard")
        async for chunk in super().Fetch(request, context):
            yield chunk


@pytest.mark.parametrize("refuses", [False, True])
async def test_what_is_lost_while_it_is_fetched_is_neither_kept_nor_handed_back(
    tmp_path: Path, certs: Certificates, *, refuses: bool
) -> None:
    """The answer to a fetch may come after the word that others have the shard."""
    port, door = free_port(), LateDoor(tmp_path, SHARDS, refuses=refuses)
    async with van(tmp_path, port, certs) as vehicle, open_door(door, certs, port):
        asking = asyncio.create_task(vehicle.shards.next())
        await until(lambda: len(vehicle.shards.held()) == 2)
        vehicle.shards.lost(frozenset({("lease-1", 0), ("lease-1", 1)}))
        door.may_answer.set()
        await until(lambda: not vehicle.shards._fetches)
        asking.cancel()
        await vehicle.book.drained()
        assert vehicle.fates() == [Fate.LOST, Fate.LOST]
        assert (door.handed_back, list(vehicle.work.iterdir())) == ([], [])


async def test_a_runner_that_goes_away_while_its_result_is_kept_loses_nothing(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call is cancelled while the disk is slow: Hello names the shard all the while, and it is sent."""
    loop, write = asyncio.get_running_loop(), durable.write
    is_writing, may_write = asyncio.Event(), threading.Event()

    def slow(path: Path, data: bytes) -> None:
        loop.call_soon_threadsafe(is_writing.set)
        assert may_write.wait(10)
        write(path, data)

    monkeypatch.setattr(durable, "write", slow)
    port, door = free_port(), Door(tmp_path, SHARDS)
    async with van(tmp_path, port, certs) as vehicle, open_door(door, certs, port):
        call = asyncio.create_task(vehicle.finish(await vehicle.take()))
        await is_writing.wait()
        call.cancel()
        await asyncio.wait([call])
        assert [each.shard.shard for each in vehicle.book.unsent()] == [0]
        may_write.set()
        await vehicle.book.drained()
        assert door.results == {0: RESULT}


async def test_a_vehicle_keeps_no_more_than_the_pool_lets_it(tmp_path: Path, certs: Certificates) -> None:
    """With room for one finished shard it leases one at a time, also while it is seen."""
    port, door = free_port(), Door(tmp_path, SHARDS)
    async with van(tmp_path, port, certs) as vehicle, open_door(door, certs, port):
        vehicle.book.most = 1
        for number in range(2):
            taken = await vehicle.take()
            assert (taken.shard, door.next_shard) == (number, number + 1)
            await vehicle.finish(taken)
        await door.until(lambda d: len(d.results) == 2)


async def test_a_slot_ends_when_no_gateway_was_heard_for_too_long(
    tmp_path: Path, certs: Certificates
) -> None:
    """After the pool's autonomy its Node is gone, so nobody counts on the slot: it ends, and Hello says so later."""
    port, door = free_port(), BareDoor()
    policy = pb.Policy()
    policy.CopyFrom(POLICY)
    policy.autonomy_seconds = 1
    async with running_agent(tmp_path, port, certs):
        async with open_door(door, certs, port):
            await door.until(lambda d: d.policy_followed())
            door.say(pb.GatewayMessage(policy=policy))
            door.assign()
            await door.until(lambda d: d.statuses())
        await until(lambda: "no gateway was heard" in (tmp_path / "agent.log").read_text())
        heard = len(door.heard)
        async with open_door(door, certs, port):
            await door.until(lambda d: len(d.heard) > heard)
            (slot,) = door.hello.slots
            assert (slot.ended, slot.reason) == (True, "Silent")
            assert "the pool allows 1 s" in slot.message
