"""The first failed records of a led batch: of planning and of vehicles, also after a restart, and troubles of ours."""

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_core.batch.progress import BatchState
from parkade_operator.shards import lead
from parkade_operator.shards.spec import Grant
from support.bench import UID, Bench, running
from support.stores import Ground, request


def bad_and_good() -> bytes:
    """Twelve lines in shards of three: line 5 is refused, and the texts of lines 2, 8 and 11 fail in the vehicle."""
    lines = [request(number) for number in range(1, 13)]
    lines[4] = b"{no record\n"
    for number in (2, 8, 11):
        lines[number - 1] = request(number, body={"input": ""})
    return b"".join(lines)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Batches over those lines."""
    ground = Ground(tmp_path)
    ground.write_input(bad_and_good())
    async with running(ground) as bench:
        yield bench


def shown(bench: Bench) -> list[tuple[int, str, str]]:
    """The failed records in the batch's status."""
    return [(one.line, one.custom_id, one.code) for one in bench.status().first_failed]


async def send_one(bench: Bench, grant: Grant, number: int) -> None:
    """Finish one shard of a grant."""
    one = Grant(grant.lease, (grant.shards[number],))
    await bench.send(one, await bench.fetch(one), piece=number)


async def test_the_lowest_lines_known_are_shown(bench: Bench) -> None:
    """First those of planning; later shards join in whatever order they come, and only three stay."""
    await bench.start()
    assert shown(bench) == [(5, "", "NotJson")]
    grant = bench.lease()
    await send_one(bench, grant, 3)
    assert shown(bench) == [(5, "", "NotJson"), (11, "doc-11", "EmptyText")]
    await send_one(bench, grant, 2)
    assert [line for line, *_ in shown(bench)] == [5, 8, 11]
    await send_one(bench, grant, 0)
    assert [line for line, *_ in shown(bench)] == [2, 5, 8]


async def test_they_are_back_after_a_restart(bench: Bench) -> None:
    """A new leader finds them in the plan's rejects and the committed shards, as the old one showed them."""
    await bench.start()
    grant = bench.lease()
    for number in (0, 3):
        await send_one(bench, grant, number)
    before = bench.status()
    assert [line for line, *_ in shown(bench)] == [2, 5, 11]
    async with running(bench.ground) as later:
        await later.start()
        assert later.status().first_failed == before.first_failed
        assert later.status().records_failed == before.records_failed == 3


async def test_at_the_end_they_are_the_lowest_of_all(bench: Bench) -> None:
    """The last status is read from the store, so a piece whose vehicle hung up counts, too."""
    await bench.start()
    grant = bench.lease()
    data = await bench.fetch(grant)
    bench.batches.release(UID, "v1")
    await bench.send(Grant(grant.lease, grant.shards), data)
    status = await bench.state(BatchState.COMPLETE)
    assert [line for line, *_ in shown(bench)] == [2, 5, 8]
    errors = (bench.ground.team / "results" / "errors.jsonl").read_bytes().splitlines()
    assert (status.records_failed, len(errors)) == (4, 4)


async def test_a_batch_of_bad_lines_only_is_complete(bench: Bench) -> None:
    """No shard, no vehicle, no result; errors.jsonl is the whole answer."""
    bench.ground.write_input(b"[1]\n\n{no record\n" + request(1, url="/v1/chat"))
    bench.batches.plan(bench.ground.spec())
    status = await bench.state(BatchState.COMPLETE)
    assert (status.records_total, status.records_succeeded, status.records_failed) == (3, 0, 3)
    assert shown(bench) == [(1, "", "NotAnObject"), (3, "", "NotJson"), (4, "doc-1", "BadRequest")]
    results = bench.ground.team / "results"
    assert (results / "output.jsonl").read_bytes() == b""
    assert len((results / "errors.jsonl").read_bytes().splitlines()) == 3


async def test_what_may_change_takes_effect_while_a_batch_runs(bench: Bench) -> None:
    """Parallelism and suspension hold from the next lease on, and new leases last as long as the spec says now."""
    spec = await bench.start(parallelism=1)
    assert len(bench.lease().shards) == 1
    assert bench.batches.lease(UID, "v2", 1) is None
    bench.batches.plan(bench.ground.spec(parallelism=3, shard_timeout=30.0, uid=spec.uid))
    assert len(bench.lease("v2").shards) == 2
    bench.now += 31
    bench.batches.plan(bench.ground.spec(parallelism=4, shard_timeout=30.0, suspend=True))
    assert bench.batches.lease(UID, "v3", 4) is None
    bench.batches.plan(bench.ground.spec(parallelism=4, shard_timeout=30.0))
    await bench.until(lambda: bench.status().shards_leased == 1)
    assert len(bench.lease("v3").shards) == 3


async def test_a_trouble_of_ours_is_told_and_waited_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full the batch says so and does not fail; when there is room again it goes on by itself."""
    full, real = [True], os.write

    def write(file: int, data: memoryview) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(lead, "RETRY_SECONDS", (0.05, 0.05))
    monkeypatch.setattr(os, "write", write)
    bench.batches.plan(bench.ground.spec())
    await bench.until(lambda: "No space left on device" in bench.status().message)
    assert bench.status().state is BatchState.PLANNING
    assert bench.status().message.startswith("No fault of the batch; it is tried again in 0.05 s")
    full.clear()
    await bench.state(BatchState.RUNNING)
    assert bench.status().message == ""
