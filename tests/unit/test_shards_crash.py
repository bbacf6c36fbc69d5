"""Planning and assembling killed at every create, before and after it: what comes out in the end is the same."""

import asyncio
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from parkade_core.batch.commit import ShardCommit
from parkade_operator.shards.assembler import assemble
from parkade_operator.shards.log import BatchLog
from parkade_operator.shards.pieces import read_header
from parkade_operator.shards.planner import make_plan
from parkade_operator.shards.spec import Grant, GrantedShard
from parkade_operator.shards.store import PlatformStore
from support import stores
from support.stores import Ground, pack, request

INPUT = request(0) + b"broken\n" + request(1, body={"input": ""}) + request(2) + request(0) + request(3)
LEASE = "4b0ef1a2-7d50-4b44-9a4d-111111111111"


def die(work: str, ground: Ground, creates: int, when: str) -> int:
    """Run the work in a process that dies at its n-th create; returns its exit code."""
    command = [sys.executable, stores.__file__, work, str(ground.store_root.parent), str(creates), when]
    return subprocess.run(command, check=False, timeout=60).returncode


def commit_everything(ground: Ground) -> None:
    """Finish and commit every shard of the planned batch and seal its log, with fixed attempts."""

    async def commit() -> None:
        spec = ground.spec()
        store = PlatformStore(ground.store_root)
        plan = make_plan(spec, store.blocking, ground.files())
        log = await BatchLog.open(store, spec.uid, "nonce", lambda _: None, lambda _: None)
        shards = tuple(
            GrantedShard(n, str(uuid.UUID(int=n)), row.records, row.size, row.sha256)
            for n, row in enumerate(plan.shards)
        )
        grant = Grant(LEASE, shards)
        data = [await store.get(f"batches/{spec.uid}/shards/{n:06d}") for n in range(len(shards))]
        header, piece = pack(spec.uid, LEASE, 0, zip(grant.shards, data, strict=True), plan.input_digest)
        commits: list[ShardCommit] = read_header(spec.uid, "v1", header)
        await store.create(commits[0].key, piece)
        assert await log.commit(commits) == [True] * len(shards)
        await log.seal()
        await log.close()
        store.close()

    asyncio.run(commit())


@pytest.mark.parametrize("when", ["before", "after"])
def test_planning_can_die_at_any_create(tmp_path: Path, when: str) -> None:
    """However often planning dies, the next run ends with the bytes that an undisturbed run leaves."""
    whole, broken = Ground(tmp_path / "whole"), Ground(tmp_path / "broken")
    for ground in (whole, broken):
        ground.write_input(INPUT)
    make_plan(whole.spec(), whole.store(), whole.files())
    deaths = 0
    while die("plan", broken, deaths + 1, when) == 9:
        deaths += 1
        assert deaths < 20
        plan_there = any(path.name == "plan" for path in broken.store_root.rglob("*"))
        if when == "before":
            assert not plan_there, "the plan is the last thing to be created"
    # Every run tries to create shards and rejects again; only bundle files that are there are skipped.
    assert deaths >= 3
    assert broken.tree() == whole.tree()


@pytest.mark.parametrize("when", ["before", "after"])
def test_assembling_can_die_at_any_create(tmp_path: Path, when: str) -> None:
    """Output, errors and manifest are the same bytes wherever an earlier run died."""
    whole, broken = Ground(tmp_path / "whole"), Ground(tmp_path / "broken")
    for ground in (whole, broken):
        ground.write_input(INPUT)
        commit_everything(ground)
    assemble(whole.spec(), whole.store(), whole.files())
    codes = [die("assemble", broken, creates, when) for creates in (1, 2, 3, 4)]
    assert codes == [9, 9, 9, 0], "output, errors and manifest, each once"
    assert broken.tree() == whole.tree()
    assert {"files/team/results/output.jsonl", "files/team/results/errors.jsonl"} <= whole.tree().keys()


def test_assembling_refuses_damaged_results(tmp_path: Path) -> None:
    """A piece whose bytes changed in the store is noticed, and no file of the user's is written."""
    ground = Ground(tmp_path)
    commit_everything(ground)
    (piece,) = (path for path in ground.store_root.rglob("0") if path.parent.name == LEASE)
    data = bytearray(piece.read_bytes())
    data[10] ^= 1
    piece.write_bytes(data)
    with pytest.raises(Exception, match="damaged"):
        assemble(ground.spec(), ground.store(), ground.files())
    assert not list((ground.team / "results").glob("*"))
