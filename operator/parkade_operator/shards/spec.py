"""What is asked of shards/ and what it answers: plain values that travel between threads and processes."""

from dataclasses import dataclass
from pathlib import Path

from parkade_core.batch.plan import Plan


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """A batch as the operator asks for it. Digests are `sha256:<hex>`; an empty input digest is not checked.

    *shard_timeout* is in seconds; *parallelism* is the most shards under lease, 0 for no limit; an empty
    *error_uri* means the folder of the output.
    """

    uid: str
    namespace: str
    name: str
    model_uri: str
    model_digest: str
    input_uri: str
    input_digest: str
    output_uri: str
    error_uri: str
    records_per_shard: int
    shard_timeout: float = 300.0
    parallelism: int = 0
    suspend: bool = False

    @property
    def names(self) -> dict[str, str]:
        """By what the process's log speaks of the batch."""
        return {"batch": f"{self.namespace}/{self.name}", "uid": self.uid}


@dataclass(frozen=True, slots=True)
class GrantedShard:
    """One leased shard: the id of this attempt at it, its records, and its bytes' size and hex sha256."""

    shard: int
    attempt: str
    records: int
    size: int
    sha256: str


def granted_shard(plan: Plan, shard: int, attempt: str) -> GrantedShard:
    """A shard of *plan*, leased for one attempt."""
    row = plan.shards[shard]
    return GrantedShard(shard, attempt, row.records, row.size, row.sha256)


@dataclass(frozen=True, slots=True)
class Grant:
    """A new lease and its shards."""

    lease: str
    shards: tuple[GrantedShard, ...]


@dataclass(frozen=True, slots=True)
class Roots:
    """Where a worker process finds the platform store and the users' files."""

    store: Path
    files: Path | None
