"""What shards/ does when bytes, logs or disks are broken: told once, with the reason, and never committed."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import BatchReason
from parkade_core.batch.progress import BatchState
from parkade_operator.shards.errors import BadPiece, StoreBroken, UnknownBatch
from parkade_operator.shards.spec import Grant
from support.bench import UID, Bench, running
from support.stores import Ground


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Batches over ten records in four shards."""
    async with running(Ground(tmp_path)) as bench:
        yield bench


ERROR = b'{"error":{"line":%d}}\n'


@pytest.mark.parametrize(
    ("output", "errors", "problem"),
    [
        (b"", b"garbage\n" * 3, "does not say which input line"),
        (b"", b'{"error":{"line":true}}\n' * 3, "does not say which input line"),
        (b"", b'{"error":null}\n[]\n{"error":{}}\n', "does not say which input line"),
        (b"", ERROR % 4 + ERROR % 5 + ERROR % (2**53 + 1), "does not say which input line"),
        (b"", ERROR % 4 + ERROR % 4 + ERROR % 5, "input line 4, not of its own in ascending"),
        (b"", ERROR % 3 + ERROR % 4 + ERROR % 5, "input line 3"),
        (b"", ERROR % 4 + ERROR % 5 + ERROR % 7, "input line 7"),
        (b"{}\n" * 3, b"", "no result of a record"),
        (b'{"custom_id":"a"}\n' * 3, b"", "no result of a record"),
        (b'{"custom_id":"a","error":{}}\n' * 3, b"", "no result of a record"),
        (b"garbage\n" * 3, b"", "no result of a record"),
    ],
)
async def test_lines_that_could_not_be_assembled_are_refused(
    bench: Bench, output: bytes, errors: bytes, problem: str
) -> None:
    """What a vehicle sends as lines must be lines of results, or a batch could be sealed and never finished."""
    await bench.start()
    grant = bench.lease(want=2)
    shard, data = grant.shards[1], output + errors
    digest = hashlib.sha256(data).hexdigest()
    header = fleet_pb2.PieceHeader(batch_uid=UID, lease=grant.lease, piece=0, sha256=digest)
    header.results.add(
        shard=shard.shard,
        attempt=shard.attempt,
        size=len(data),
        output_size=len(output),
        sha256=digest,
        succeeded=3 if output else 0,
        failed=3 if errors else 0,
    )
    with pytest.raises(BadPiece, match=problem):
        await bench.batches.store_piece(UID, "v1", header, data)
    assert bench.status().shards_committed == 0


@pytest.mark.parametrize(
    ("key", "data", "reason"),
    [
        (f"batches/{UID}/plan", b"{}", BatchReason.LOG_BROKEN),
        (f"batches/{UID}/log/0000000000", b"no segment\n", BatchReason.LOG_BROKEN),
    ],
)
async def test_a_damaged_store_fails_the_batch_and_says_so(
    bench: Bench, key: str, data: bytes, reason: BatchReason
) -> None:
    """A plan or log that cannot be read ends the batch with a reason; it is not planned again for ever."""
    bench.ground.store().create(key, (data,))
    bench.batches.plan(bench.ground.spec())
    status = await bench.state(BatchState.FAILED)
    assert (status.reason, status.message[:32]) == (reason, "the batch's plan or log is damag")


async def test_an_unexpected_error_fails_the_batch_and_says_so(bench: Bench) -> None:
    """Results that vanished before assembling are nobody's plan: the batch ends with the error as its message."""
    await bench.start()
    grant = bench.lease()
    data = await bench.fetch(grant)
    await bench.send(Grant(grant.lease, grant.shards[:3]), data)
    for path in (bench.ground.store_root / f"batches/{UID}/results").rglob("*"):
        path.unlink() if path.is_file() else None
    await bench.send(Grant(grant.lease, grant.shards[3:]), data, piece=1)
    status = await bench.state(BatchState.FAILED)
    assert status.reason == BatchReason.INTERNAL
    assert "does not exist" in status.message


def fail_sync(monkeypatch: pytest.MonkeyPatch, under: str) -> None:
    """The next sync of a folder below *under* that holds something fails, once, as the kernel reports it."""
    real, left = os.fsync, [under]

    def sync(folder: int) -> None:
        if left and left[0] in str(Path(f"/proc/self/fd/{folder}").readlink()) and os.listdir(folder):
            left.clear()
            raise OSError(errno.EIO, "Input/output error")
        real(folder)

    monkeypatch.setattr(os, "fsync", sync)


@pytest.mark.parametrize("under", ["/results/", "/log"])
async def test_after_a_failed_sync_nothing_is_said_to_be_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, under: str
) -> None:
    """A repeat is not answered from what may not last: the store refuses, and the process is told to end."""
    await bench.start()
    grant = bench.lease()
    data = await bench.fetch(grant)
    fail_sync(monkeypatch, f"{UID}{under}")
    assert not bench.batches.broken.is_set()
    with pytest.raises(StoreBroken, match="Input/output error"):
        await bench.send(grant, data)
    with pytest.raises((StoreBroken, UnknownBatch)):
        await bench.send(grant, data)
    assert bench.batches.broken.is_set()
    with pytest.raises(StoreBroken):
        await bench.store.create("another/key", b"")


async def test_a_failed_sync_in_a_worker_breaks_the_store_of_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning writes in another process; what it says of the store holds here too, and it is not begun again."""
    fail_sync(monkeypatch, "/shards")
    bench.batches.plan(bench.ground.spec())
    async with asyncio.timeout(20):
        await bench.batches.broken.wait()
    with pytest.raises(StoreBroken):
        await bench.store.create("another/key", b"")
    bench.batches.plan(bench.ground.spec())
    await bench.until(lambda: not bench.batches.status())
    assert not bench.ground.store().exists(f"batches/{UID}/plan")
