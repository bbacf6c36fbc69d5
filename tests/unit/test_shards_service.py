"""The whole life of a batch in shards/, over a real file store, with planning and assembling in this process."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from parkade_api.wellknown import BatchReason
from parkade_core.batch.progress import BatchState
from parkade_operator.shards.errors import BadPiece, NoSuchObject, NotLeased, UnknownBatch
from parkade_operator.shards.spec import Grant
from support.bench import UID, Bench, running
from support.stores import Ground, again, pack, request


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Batches over ten records in four shards."""
    async with running(Ground(tmp_path)) as bench:
        yield bench


def rows(path: Path) -> list[dict[str, object]]:
    """The lines of a JSONL file."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def test_a_batch_becomes_result_files_in_input_order(bench: Bench) -> None:
    """Shards finished by two vehicles in any order become output and error files in input order."""
    lines = [
        request(0),
        b"no json\n",
        request(1, body={"input": ""}),
        b"\n",
        request(2),
        request(0),
        request(3),
    ]
    bench.ground.write_input(b"".join(lines))
    await bench.start(records_per_shard=2)
    first, second = bench.lease("v1", 1), bench.lease("v2", 1)
    assert await bench.send(second, await bench.fetch(second, "v2"), "v2") == [(1, True)]
    assert await bench.send(first, await bench.fetch(first)) == [(0, True)]
    status = await bench.state(BatchState.COMPLETE)
    results = bench.ground.team / "results"
    assert [row["custom_id"] for row in rows(results / "output.jsonl")] == ["doc-0", "doc-2", "doc-3"]
    errors = [(row["error"]["line"], row["error"]["code"]) for row in rows(results / "errors.jsonl")]  # type: ignore[index]
    assert errors == [(2, "NotJson"), (3, "EmptyText"), (6, "RepeatedCustomId")]
    assert (status.records_total, status.records_succeeded, status.records_failed) == (6, 3, 3)
    assert (status.output_uri, status.error_uri) == (
        "file:///results/output.jsonl",
        "file:///results/errors.jsonl",
    )
    manifest = await bench.store.get(f"batches/{UID}/manifest")
    assert status.manifest_digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


async def test_an_expired_lease_is_leased_again_and_the_late_attempt_may_still_win(bench: Bench) -> None:
    """A silent vehicle's shards go to another one, and both may finish: the first one wins, the other hears of it."""
    await bench.start()
    late = bench.lease("v1")
    data = await bench.fetch(late)
    assert bench.batches.lease(UID, "v2", 64) is None
    bench.now += 301
    await bench.until(lambda: bench.status().shards_leased == 0)
    second = bench.lease("v2")
    assert [s.shard for s in second.shards] == [s.shard for s in late.shards]
    assert await bench.fetch(late) == data
    assert await bench.send(late, data) == [(n, True) for n in range(4)]
    with pytest.raises(NotLeased):
        bench.batches.fetch_shard(UID, "v2", second.lease, 0)
    assert await bench.send(second, data, "v2") == [(n, False) for n in range(4)]
    assert (await bench.state(BatchState.COMPLETE)).shards_committed == 4


async def test_two_attempts_at_once_give_exactly_one_commit(bench: Bench) -> None:
    """Of attempts that are sent at the same moment exactly one is the record, and all hear the same story."""
    await bench.start()
    grant = bench.lease()
    data = await bench.fetch(grant)
    rivals = [grant, again(grant), again(grant)]
    told = await asyncio.gather(*(bench.send(rival, data) for rival in rivals))
    for shard in range(4):
        assert sum(verdicts[shard][1] for verdicts in told) == 1
    assert told == await asyncio.gather(*(bench.send(rival, data) for rival in rivals))


async def test_a_gateway_that_comes_back_adopts_and_gives_the_same_bytes(tmp_path: Path) -> None:
    """After a restart commits stand, leases are adopted even before the plan, and the files are the same."""
    ground, whole = Ground(tmp_path / "broken"), Ground(tmp_path / "whole")
    async with running(ground) as first:
        await first.start()
        await first.work(want=2)
        held = first.lease("v2", 1)
        data = await first.fetch(held, "v2")
    async with running(ground) as second:
        second.batches.adopt(UID, "v2", held.lease, [s.shard for s in held.shards])
        await second.start()
        assert (second.status().shards_committed, second.status().shards_leased) == (2, 1)
        assert await second.fetch(held, "v2") == data
        assert [s.shard for s in second.lease("v3").shards] == [3]
        assert await second.send(held, data, "v2") == [(2, True)]
        second.now += 301
        await second.until(lambda: second.status().shards_leased == 0)
        await second.work("v4")
        digest = (await second.state(BatchState.COMPLETE)).manifest_digest
    async with running(ground) as third:
        third.batches.plan(ground.spec())
        assert (await third.state(BatchState.COMPLETE)).manifest_digest == digest
    async with running(whole) as bench:
        await bench.start()
        await bench.work()
        await bench.state(BatchState.COMPLETE)
    for name in ("output.jsonl", "errors.jsonl"):
        assert (ground.team / "results" / name).read_bytes() == (whole.team / "results" / name).read_bytes()


async def test_a_second_leader_fences_the_first(tmp_path: Path) -> None:
    """Two gateways that both believe they lead: the later claim wins, the earlier one drops the batch."""
    ground = Ground(tmp_path)
    async with running(ground) as old, running(ground) as new:
        await old.start()
        grant = old.lease()
        data = await old.fetch(grant)
        await new.start()
        with pytest.raises(Exception, match="another leader"):
            await old.send(grant, data)
        await old.until(lambda: not old.batches.status())
        new.batches.adopt(UID, "v1", grant.lease, [shard.shard for shard in grant.shards])
        assert await new.send(grant, data) == [(n, True) for n in range(4)]
        assert (await new.state(BatchState.COMPLETE)).shards_committed == 4


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("sha256", "0" * 64, "digest"),
        ("size", 3, "cover"),
        ("offset", 1, "starts at byte 1"),
        ("output_size", 10_000, "longer"),
        ("output_size", 5, "within a line"),
        ("succeeded", 2, "3 records"),
        ("shard", 77, "does not exist"),
        ("attempt", "../../x", "UUID"),
    ],
)
async def test_a_piece_that_is_not_what_it_says_is_refused(
    bench: Bench, field: str, value: object, problem: str
) -> None:
    """Digests, ranges and counts are checked before anything is stored or committed."""
    await bench.start()
    grant = bench.lease(want=1)
    data = await bench.fetch(grant)
    header, piece = pack(UID, grant.lease, 0, [(grant.shards[0], data[0])], bench.status().input_digest)
    setattr(header.results[0], field, value)
    with pytest.raises(BadPiece, match=problem):
        await bench.batches.store_piece(UID, "v1", header, piece)
    with pytest.raises(BadPiece, match="digest"):
        await bench.batches.store_piece(UID, "v1", header, b"?" + piece[1:])
    assert await bench.store.list(f"batches/{UID}/results") == []
    assert bench.status().shards_committed == 0


async def test_a_vehicle_sees_only_what_it_holds(bench: Bench) -> None:
    """Shards and leases of others, results under a lease that nobody granted, other files and batches are refused."""
    await bench.start()
    grant = bench.lease(want=1)
    data = await bench.fetch(grant)
    with pytest.raises(NotLeased):
        bench.batches.fetch_shard(UID, "v2", grant.lease, 0)
    for lease in (grant.lease, str(uuid.uuid4())):
        with pytest.raises(NotLeased):
            await bench.send(Grant(lease, grant.shards), data, "v2")
    with pytest.raises(UnknownBatch):
        bench.batches.fetch_shard("another", "v1", grant.lease, 0)
    with pytest.raises(NoSuchObject):
        bench.batches.bundle_file(UID, "../../batches/x/plan")
    assert [chunk async for chunk in bench.batches.bundle_file(UID, "tokenizer.json")] == [b"{}"]
    assert b"".join([chunk async for chunk in bench.batches.bundle_file(UID, "bundle.sig")]) == b""


async def test_a_piece_keeps_its_number(bench: Bench) -> None:
    """Other bytes under the number of a piece that was stored are refused; the same piece again is fine."""
    await bench.start()
    grant = bench.lease(want=2)
    data = await bench.fetch(grant)
    one, other = (Grant(grant.lease, (shard,)) for shard in grant.shards)
    assert await bench.send(one, data) == [(0, True)]
    assert await bench.send(one, data) == [(0, True)]
    with pytest.raises(BadPiece, match="other bytes"):
        await bench.send(other, data)
    assert await bench.send(other, data, piece=1) == [(1, True)]


async def test_suspend_parallelism_and_handback_steer_the_leases(bench: Bench) -> None:
    """A suspended batch leases nothing, parallelism bounds the leases, handed-back shards go out again at once."""
    spec = await bench.start(suspend=True)
    assert bench.batches.lease(UID, "v1", 1) is None
    bench.batches.plan(bench.ground.spec(parallelism=2))
    grant = bench.lease(want=64)
    assert [s.shard for s in grant.shards] == [0, 1]
    assert bench.batches.lease(UID, "v2", 1) is None
    bench.batches.hand_back(UID, "v1", grant.lease, [0], "Driving")
    assert [s.shard for s in bench.lease("v2").shards] == [0]
    assert (bench.status().shards_total, bench.status().shards_committed) == (4, 0)
    assert bench.batches.input_digest(UID) == bench.status().input_digest
    await bench.batches.cancel(spec.uid)
    assert bench.batches.status() == []


async def test_a_shard_that_three_vehicles_fail_fails_the_batch(bench: Bench) -> None:
    """Departures never count as failures; the third vehicle that fails one shard ends the batch and names it."""
    await bench.start()
    story = [
        ("v1", "Driving"),
        ("v1", "SidecarLost"),
        ("v2", "TooHot"),
        ("v2", "SidecarLost"),
        ("v3", "SidecarLost"),
    ]
    for vehicle, reason in story:
        assert bench.status().state is BatchState.RUNNING
        grant = bench.lease(vehicle, want=1)
        bench.batches.hand_back(UID, vehicle, grant.lease, [0], reason, "out of memory")
    status = await bench.state(BatchState.FAILED)
    assert (status.reason, status.message) == (
        BatchReason.SHARD_FAILED,
        "shard 0 failed 3 times on 3 vehicles, last with SidecarLost: out of memory",
    )


async def test_a_broken_vehicle_does_not_fail_the_batch_of_the_others(bench: Bench) -> None:
    """A vehicle that fails all it touches gets other shards, then none; a good one finishes the batch."""
    await bench.start()
    first = bench.lease("v2", 1)
    for _ in range(3):
        grant = bench.lease("broken", 1)
        bench.batches.hand_back(UID, "broken", grant.lease, [s.shard for s in grant.shards], "SidecarLost")
    assert bench.batches.lease(UID, "broken", 1) is None
    await bench.send(first, await bench.fetch(first, "v2"), "v2")
    await bench.work("v2")
    assert (await bench.state(BatchState.COMPLETE)).shards_committed == 4


async def test_an_output_with_other_bytes_is_never_overwritten(bench: Bench) -> None:
    """A file of the user's in the place of the output fails the batch and stays as it is."""
    results = bench.ground.team / "results"
    results.mkdir()
    (results / "output.jsonl").write_text("mine\n")
    await bench.start()
    await bench.work()
    status = await bench.state(BatchState.FAILED)
    assert status.reason == BatchReason.OUTPUT_EXISTS
    assert (results / "output.jsonl").read_text() == "mine\n"


@pytest.mark.parametrize("plan_first", [0, 1])
async def test_what_is_handed_back_before_the_plan_is_not_held(bench: Bench, plan_first: int) -> None:
    """A vehicle that says what it holds and then gives it back, before the batch is led, holds nothing."""
    if plan_first:
        bench.batches.plan(bench.ground.spec())
    lease = str(uuid.uuid4())
    bench.batches.adopt(UID, "v1", lease, [0, 1, 2, 99])
    bench.batches.hand_back(UID, "v1", lease, [0, 1])
    await bench.start()
    assert bench.status().shards_leased == 1
    assert [s.shard for s in bench.lease("v2").shards] == [0, 1, 3]


async def test_a_vehicle_is_released_of_all_but_what_it_keeps(bench: Bench) -> None:
    """A slot that ended holds nothing any more; leases to keep and other vehicles' stay."""
    await bench.start()
    gone, kept = bench.lease("v1", 1), bench.lease("v1", 1)
    bench.lease("v2", 1)
    bench.batches.release(UID, "v1", {kept.lease})
    assert bench.status().shards_leased == 2
    assert [s.shard for s in bench.lease("v3", 1).shards] == [s.shard for s in gone.shards]
    bench.batches.release(UID, "v1")
    assert [s.shard for s in bench.lease("v3", 1).shards] == [s.shard for s in kept.shards]
    bench.batches.release("another", "v1")
