"""The commit log of a batch as it lies in a platform store, read by tests that must not ask the gateway."""

from collections import Counter
from pathlib import Path

from parkade_core.batch.commit import Segment, ShardCommit, decode_segment
from parkade_operator.shards import layout


def segments(platform_store: Path, uid: str) -> list[Segment]:
    """Every segment so far, in the log's order; none before the first."""
    return [
        decode_segment(path.read_bytes()) for path in sorted((platform_store / layout.log(uid)).glob("*"))
    ]


def commits(platform_store: Path, uid: str) -> list[ShardCommit]:
    """Every commit so far, in the log's order."""
    return [commit for segment in segments(platform_store, uid) for commit in segment.commits]


def assert_committed_once(platform_store: Path, uid: str, shards: int) -> None:
    """Every shard of a batch has exactly one commit in its log."""
    found = Counter(commit.shard for commit in commits(platform_store, uid))
    assert found == dict.fromkeys(range(shards), 1)
