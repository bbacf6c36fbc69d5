"""Putting results together: error lines in input order, and the manifest of what became of every shard."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from parkade_core.batch.commit import Ledger, ShardCommit
from parkade_core.batch.errors import LogBroken
from parkade_core.batch.lines import line_of_error
from parkade_core.batch.plan import Plan

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A finished file: bytes, and their hex sha256."""

    size: int
    sha256: str


def merge_errors(rejects: Iterable[bytes], failures: Iterable[bytes]) -> Iterator[bytes]:
    """Error lines of planning and of shards, each in input order, as one sequence in input order."""
    return heapq.merge(rejects, failures, key=line_of_error)


def winners_in_order(plan: Plan, winners: Mapping[int, ShardCommit]) -> list[ShardCommit]:
    """The winning commit of every shard. Raises LogBroken when one is missing or does not fit its shard."""
    commits = [winners.get(shard) for shard in range(len(plan.shards))]
    for shard, (row, commit) in enumerate(zip(plan.shards, commits, strict=True)):
        if commit is None:
            raise LogBroken(f"shard {shard} is not committed")
        if commit.succeeded + commit.failed != row.records:
            raise LogBroken(f"the commit of shard {shard} does not speak of its {row.records} records")
    return [commit for commit in commits if commit is not None]


def encode_manifest(plan: Plan, ledger: Ledger, output: FileDigest, errors: FileDigest) -> bytes:
    """The manifest of a finished batch: a fold over plan and log, so the same bytes whoever makes it."""
    commits = winners_in_order(plan, ledger.winners)
    document = {
        "v": VERSION,
        "uid": ledger.uid,
        "input": plan.input_digest,
        "bundle": plan.bundle_digest,
        "log": {"segments": ledger.next_seq, "tip": ledger.tip},
        "records": {
            "total": plan.records_total,
            "succeeded": sum(commit.succeeded for commit in commits),
            "failed": plan.rejects.count + sum(commit.failed for commit in commits),
        },
        "output": asdict(output),
        "errors": asdict(errors),
        "shards": [[commit.sha256, commit.attempt, commit.vehicle] for commit in commits],
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
