"""What the gateway tells Prometheus about records, shards, leases and the commit log, one line at each event."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Counter, Histogram

from parkade_api.figures import Figure, Reading, from_zero, one_of
from parkade_api.wellknown import Reason, ShardFault
from parkade_core.batch.log_writer import Put

REASONS: Final = (*map(str, Reason), *map(str, ShardFault))

RECORDS: Final = from_zero(
    Counter(
        "parkade_records",
        "Records whose result is durable, by outcome: succeeded or failed. Its rate is the work of the fleet; failed"
        " ones are explained line by line in errors.jsonl.",
        ["outcome"],
    ),
    ("succeeded", "failed"),
)
SHARDS: Final = from_zero(
    Counter(
        "parkade_shards",
        "Attempts at shards by outcome: committed, lost (another attempt was first: work done twice), expired (the"
        " lease ran out, its vehicle went silent), returned (see parkade_shards_returned_total).",
        ["outcome"],
    ),
    ("committed", "lost", "expired", "returned"),
)
SHARDS_RETURNED: Final = from_zero(
    Counter(
        "parkade_shards_returned",
        "Shards that vehicles handed back unfinished, by reason. Driving and the like cost time only; a fault of shards"
        " on many vehicles is a fault of the input or of the model.",
        ["reason"],
    ),
    (Reason.DRIVING, "Other"),
)
SHARDS_GRANTED: Final = Counter(
    "parkade_shards_granted", "Shards leased to vehicles. Far more than are committed: work is being lost."
)
COMMIT_SECONDS: Final = Histogram(
    "parkade_commit_seconds",
    "Time from a piece's offer until its shards are durable in the commit log. Slow: look at the platform store.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SEGMENT_BYTES: Final = Histogram(
    "parkade_log_segment_bytes",
    "Size of the segments written to commit logs. They grow when commits come faster than the store takes segments.",
    buckets=(256, 512, 1024, 4096, 16384, 65536, 262144, 1048576),
)
LOG_CLAIMS: Final = Counter(
    "parkade_log_claims",
    "Commit logs that this gateway has claimed: each batch once, each unfinished one again after a change of leader.",
)
LOG_FENCES: Final = Counter(
    "parkade_log_fences",
    "Commit logs lost to a later leader. Harmless right after a change of leader; else two gateways lead.",
)
STAGE_SECONDS: Final = Histogram(
    "parkade_batch_stage_seconds",
    "Time to plan a batch's input and to assemble its results, in a worker process. It grows with the input.",
    ["stage"],
    buckets=(0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)

STORE_USED: Final = Figure(
    "parkade_store_used_bytes",
    "Used bytes of the file system that the platform store is on, by whomever. Nearly all: read the runbook of"
    " ParkadeStoreFilling.",
)
STORE_FREE: Final = Figure(
    "parkade_store_free_bytes",
    "Bytes that the platform store may still use. None: no batch is planned and no result is committed.",
)
STORE_FIGURES: Final = (STORE_USED, STORE_FREE)


def read_room(used: int, free: int) -> Iterator[Reading]:
    """How full the platform store is, in bytes."""
    yield STORE_USED.read(used)
    yield STORE_FREE.read(free)


def count_durable(put: Put) -> None:
    """A segment that has just become durable, with the commits that won in it."""
    SEGMENT_BYTES.observe(len(put.data))
    SHARDS.labels("committed").inc(len(put.commits))
    RECORDS.labels("succeeded").inc(sum(commit.succeeded for commit in put.commits))
    RECORDS.labels("failed").inc(sum(commit.failed for commit in put.commits))


def count_returned(shards: int, reason: str) -> None:
    """Shards that a vehicle handed back."""
    SHARDS.labels("returned").inc(shards)
    SHARDS_RETURNED.labels(one_of(REASONS, reason)).inc(shards)
