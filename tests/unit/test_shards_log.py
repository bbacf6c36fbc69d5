"""The shell of the commit log: gathering, fencing, sealing, and takeover of what is there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from parkade_core.batch.commit import ShardCommit, decode_segment
from parkade_core.batch.errors import LogBroken
from parkade_operator.shards import layout
from parkade_operator.shards.errors import Fenced, NotLeading, StoreUnavailable
from parkade_operator.shards.log import BatchLog
from parkade_operator.shards.store import PlatformStore

UID = "batch"


def commit(shard: int, attempt: str = "a") -> ShardCommit:
    """A commit of one attempt."""
    return ShardCommit(shard, attempt, "key", 0, 1, 1, "0" * 64, "v1", 1, 0)


class SlowStore(PlatformStore):
    """A store whose creates wait for the test, and fail after the fact as often as it says."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        self.lost_replies = 0

    @override
    async def create(self, key: str, data: bytes) -> None:
        self.waiting.set()
        await self.gate.wait()
        await super().create(key, data)
        if self.lost_replies:
            self.lost_replies -= 1
            raise StoreUnavailable("the reply was lost")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SlowStore]:
    """A store that the test can hold up."""
    store = SlowStore(tmp_path)
    yield store
    store.close()


async def lead(store: PlatformStore, nonce: str, heard: list[object] | None = None) -> BatchLog:
    """Open the log; what it says is written down in *heard*."""
    notes = [] if heard is None else heard

    def durable(commits: Sequence[ShardCommit]) -> None:
        notes.extend(c.shard for c in commits)

    return await BatchLog.open(store, UID, nonce, durable, notes.append)


async def test_commits_gather_while_a_put_is_in_flight(store: SlowStore) -> None:
    """Whatever arrives during a put becomes one segment after it, and each caller hears only of its own."""
    heard: list[object] = []
    log = await lead(store, "n1", heard)
    store.gate.clear()
    store.waiting.clear()
    first = asyncio.create_task(log.commit([commit(0)]))
    await store.waiting.wait()
    others = [asyncio.create_task(log.commit([commit(n), commit(0, "late")])) for n in range(1, 200)]
    await asyncio.sleep(0)
    assert heard == []
    assert not first.done()
    store.gate.set()
    assert await first == [True]
    assert await asyncio.gather(*others) == [[True, False]] * 199
    keys = await store.list(layout.log(UID))
    segments = [decode_segment(await store.get(key)) for key in keys]
    assert [len(segment.commits) for segment in segments] == [0, 1, 199]
    assert heard == list(range(200))
    await log.close()


async def test_a_lost_reply_is_no_loss(store: SlowStore) -> None:
    """When a put landed but its reply did not, the same bytes are tried again and recognised as ours."""
    log = await lead(store, "n1")
    store.lost_replies = 1
    assert await log.commit([commit(0)]) == [True]
    assert len(await store.list(layout.log(UID))) == 2
    await log.close()


async def test_a_caller_that_goes_away_leaves_its_offer(store: SlowStore) -> None:
    """A cancelled call does not undo the commit, and the log goes on."""
    heard: list[object] = []
    log = await lead(store, "n1", heard)
    store.gate.clear()
    call = asyncio.create_task(log.commit([commit(0)]))
    await asyncio.sleep(0)
    call.cancel()
    store.gate.set()
    assert await log.commit([commit(1)]) == [True]
    assert heard == [0, 1]
    await log.close()


async def test_a_fenced_leader_says_so_and_answers_nobody(store: SlowStore) -> None:
    """After another leader's claim an offer raises Fenced, once for the owner and at every later call."""
    heard: list[object] = []
    old = await lead(store, "old", heard)
    await old.commit([commit(0)])
    new = await lead(store, "new")
    for _ in range(2):
        with pytest.raises(Fenced):
            await old.commit([commit(1)])
    assert heard[0] == 0
    assert [type(note) for note in heard[1:]] == [Fenced]
    assert await new.commit([commit(0, "b"), commit(1, "b")]) == [False, True]
    assert await old.commit([commit(0)]) == [True], "what is durable stays true"
    await old.close()
    await new.close()


async def test_a_sealed_log_takes_no_more_and_needs_no_claim(store: SlowStore) -> None:
    """Sealing is durable and final; whoever opens it again reads the same winners and writes nothing."""
    log = await lead(store, "n1")
    await log.commit([commit(0), commit(1)])
    await log.seal()
    await log.close()
    keys = await store.list(layout.log(UID))
    again = await lead(store, "n2")
    assert again.sealed
    assert sorted(again.winners) == [0, 1]
    await again.seal()
    await again.close()
    assert await store.list(layout.log(UID)) == keys


async def test_a_log_with_a_hole_or_a_changed_byte_is_refused(store: SlowStore) -> None:
    """Damage stops takeover with a sentence; nothing is claimed over it."""
    log = await lead(store, "n1")
    for number in range(4):
        await log.commit([commit(number)])
    await log.close()
    paths = [store.root / key for key in await store.list(layout.log(UID))]
    original = paths[2].read_bytes()
    paths[2].write_bytes(original.replace(b'"v1"', b'"v2"'))
    with pytest.raises(LogBroken, match="hash of the segment before"):
        await lead(store, "n2")
    paths[2].unlink()
    with pytest.raises(LogBroken, match=r"segment 2 .* missing"):
        await lead(store, "n2")
    paths[2].write_bytes(original)
    whole = await lead(store, "n2")
    assert len(whole.winners) == 4
    await whole.close()


async def test_open_calls_hear_of_a_close(store: SlowStore) -> None:
    """Closing while a put is in flight answers nobody with a verdict that is not known."""
    log = await lead(store, "n1")
    store.gate.clear()
    call = asyncio.create_task(log.commit([commit(0)]))
    await asyncio.sleep(0)
    await log.close()
    with pytest.raises(NotLeading):
        await call
