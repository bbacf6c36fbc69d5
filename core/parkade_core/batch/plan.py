"""The plan of a batch: what planning found in the input, and where each record went.

Everything after planning reads the plan and never the input, which may change or vanish. It holds no UID and
no time, so planning the same input again makes the same bytes.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from parkade_core.batch.errors import PlanUnreadable

VERSION: Final = 1
MAX_SHARD_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard object: its first input line, its records, and its bytes."""

    first_line: int
    records: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Rejects:
    """The error lines of the records that planning refused."""

    count: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """An input cut into shards. Digests of input and bundle are `sha256:<hex>`, all others hex.

    *records_total* counts those in shards and those refused.
    """

    input_digest: str
    bundle_digest: str
    records_per_shard: int
    shards: tuple[ShardRow, ...]
    rejects: Rejects
    records_total: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Count once; a status is asked for many times a second."""
        total = sum(row.records for row in self.shards) + self.rejects.count
        object.__setattr__(self, "records_total", total)


def is_full(records: int, size: int, records_per_shard: int) -> bool:
    """Whether a shard of so many records and bytes is closed: with long records that is early."""
    return records >= records_per_shard or size >= MAX_SHARD_BYTES


def encode_plan(plan: Plan) -> bytes:
    """The plan object; the same plan gives the same bytes."""
    rows = [[row.first_line, row.records, row.size, row.sha256] for row in plan.shards]
    document = {
        "v": VERSION,
        "input": plan.input_digest,
        "bundle": plan.bundle_digest,
        "recordsPerShard": plan.records_per_shard,
        "recordsTotal": plan.records_total,
        "rejects": asdict(plan.rejects),
        "shards": rows,
    }
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def decode_plan(data: bytes) -> Plan:
    """The plan in an object's bytes. Raises PlanUnreadable."""
    try:
        document = orjson.loads(data)
        if document["v"] != VERSION:
            raise PlanUnreadable(
                f"the plan has version {document['v']}, this gateway reads version {VERSION}"
            )
        plan = _plan(document)
    except (ValueError, KeyError, TypeError) as error:
        raise PlanUnreadable(f"the plan cannot be read: {error}") from error
    if encode_plan(plan) != data:
        raise PlanUnreadable("the plan is not in the form in which plans are written")
    return plan


def _plan(document: dict[str, Any]) -> Plan:
    return Plan(
        input_digest=document["input"],
        bundle_digest=document["bundle"],
        records_per_shard=document["recordsPerShard"],
        shards=tuple(ShardRow(*row) for row in document["shards"]),
        rejects=Rejects(**document["rejects"]),
    )
