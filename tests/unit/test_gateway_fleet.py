"""What a gateway tells vehicles and takes from them, with all its parts joined."""

import asyncio
from pathlib import Path

import pytest

from parkade_agent.journal.attempts import Attempt
from parkade_agent.wire import rules_of
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import ANNOTATION_QUARANTINED, Reason, ShardFault
from parkade_operator.door.sessions import Session
from parkade_operator.gateway.follow import follow_batches, follow_pools
from support.bench import UID
from support.objects import node, patched, slot_pod
from support.wired import VEHICLE, Dialler, wired

HOME = {"metadata": {"name": "home", "uid": "first", "generation": 1}, "spec": {"selector": {}}}
MADE_ANEW = HOME | {"metadata": {"name": "home", "uid": "second", "generation": 1}}


def told(session: Session) -> list[pb.GatewayMessage]:
    """What waits to be sent to the vehicle; it is taken."""
    waiting = [session._outbox.get_nowait() for _ in range(session._outbox.qsize())]
    return [message for message in waiting if message is not None]


async def test_a_vehicle_hears_that_its_pool_is_gone(tmp_path: Path) -> None:
    """Not before the gateway knows which pools there are; then its agent has no rules any more, until it has others."""
    bursts = [[(HOME, True)], [(HOME, False)], [(HOME, True)], [(HOME, False), (MADE_ANEW, True)]]
    heard = []
    async with wired(tmp_path) as (gateway, _, _), asyncio.timeout(20):
        session = gateway.sessions.enter(VEHICLE)
        gateway.vehicles.connect(VEHICLE)
        gateway.fleet.send_policy("v1")
        assert told(session) == []
        gateway.pools.synced.set()
        following = asyncio.create_task(follow_pools(gateway))
        for burst in bursts:
            for item, exists in burst:
                gateway.pools._take(item, exists)
            message = await session._outbox.get()
            assert message is not None
            heard.append(rules_of(message.policy))
        following.cancel()
    assert [rules and rules.pool for rules in heard] == ["home", None, "home", "home"]


async def test_a_slot_that_came_before_its_batchs_plan_is_assigned(tmp_path: Path) -> None:
    """So is one that came while the batch was dropped, however soon it is led again."""
    reported = {"status": {"containerStatuses": [{"name": "runner"}]}}
    async with wired(tmp_path) as (gateway, bench, _), asyncio.timeout(20):
        gateway.pods.synced.set()
        session = gateway.sessions.enter(VEHICLE)
        parts = [asyncio.create_task(part) for part in (follow_batches(gateway), gateway.pods.work())]
        for name in ("pod-1", "pod-2"):
            gateway.pods._take(patched(slot_pod(uid=name, name=name), reported), True)
            await bench.start()
            gateway.changes.notify()
            message = await session._outbox.get()
            assert message is not None
            assert message.assignment.pod_uid == name
            await bench.batches.cancel(UID)
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


@pytest.mark.parametrize(
    ("annotations", "granted"), [({}, 1), ({ANNOTATION_QUARANTINED: "forged results"}, 0)]
)
async def test_a_vehicle_in_quarantine_is_granted_nothing(
    tmp_path: Path, annotations: dict[str, str], granted: int
) -> None:
    """Its request for shards is answered with none, and with when to ask again; a vehicle that is trusted gets some."""
    async with wired(tmp_path) as (gateway, bench, _):
        await bench.start()
        gateway.nodes._take(node(annotations=annotations), True)
        gateway.pods._take(slot_pod(), True)
        session = gateway.sessions.enter(VEHICLE)
        request = pb.LeaseRequest(pod_uid="pod-1", batch_uid=UID, want=1)
        gateway.fleet._receive(session, pb.VehicleMessage(lease_request=request))
        (answer,) = told(session)
    grant = answer.lease_grant
    assert (grant.pod_uid, len(grant.shards), bool(grant.lease)) == ("pod-1", granted, bool(granted))
    assert (grant.retry_after_seconds > 0) == (not granted)


@pytest.mark.parametrize(("reason", "is_blamed"), [(ShardFault.SIDECAR_LOST, True), (Reason.DRIVING, False)])
async def test_what_ended_out_of_sight_is_heard_as_it_would_have_been_at_once(
    tmp_path: Path, reason: str, *, is_blamed: bool
) -> None:
    """A shard that killed its program in a tunnel goes to another vehicle then; one that was left may come back."""
    async with wired(tmp_path) as (gateway, bench, port):
        await bench.start()
        gateway.pods._take(slot_pod(), True)
        first = bench.lease("v1", 1)
        (shard,) = first.shards
        bench.lease("v2", 1)
        vehicle = Dialler(tmp_path, port)
        leased = pb.LeasedShard(shard=shard.shard, attempt=shard.attempt)
        vehicle.book.hand_back([Attempt("pod-1", UID, first.lease, leased)], reason, "out of memory")
        await gateway.door.start()
        vehicle.dial()
        await bench.until(lambda: bench.status().shards_leased == 1)
        await vehicle.stop()
        await gateway.door.stop(grace=None)
        next_of_v1 = {granted.shard for granted in bench.lease("v1").shards}
    assert (shard.shard not in next_of_v1) == is_blamed


async def test_a_vehicle_hears_which_of_its_shards_are_committed(tmp_path: Path) -> None:
    """When it is back, and whenever another is first; what another has by now it may finish, the rest is its own."""
    async with wired(tmp_path) as (gateway, bench, port):
        await bench.start()
        gateway.pods._take(slot_pod(), True)
        away = bench.lease("v1", 3)
        bench.now += 301
        await bench.until(lambda: bench.status().shards_leased == 0)
        await bench.work("v2", 1)
        rival = bench.lease("v2", 1)
        vehicle = Dialler(tmp_path, port)
        leased = [pb.LeasedShard(shard=each.shard, attempt=each.attempt) for each in away.shards]
        vehicle.in_hand = [Attempt("pod-1", UID, away.lease, shard) for shard in leased]
        await gateway.door.start()
        vehicle.dial()
        await bench.until(lambda: bench.status().shards_leased == 2)
        await bench.send(rival, await bench.fetch(rival, "v2"), "v2")
        async with asyncio.timeout(20):
            while len(losses := [each.losses for each in vehicle.heard if each.HasField("losses")]) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await vehicle.stop()
        await gateway.door.stop(grace=None)
    assert losses == [pb.Losses(leases=[pb.LeaseLoss(lease=away.lease, shards=[shard])]) for shard in (0, 1)]
