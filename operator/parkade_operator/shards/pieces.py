"""What a vehicle says it has finished: read from its header, and kept in the platform store under its lease."""

from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.piece import problem_of_name
from parkade_operator.shards import layout
from parkade_operator.shards.errors import AlreadyExists, BadPiece
from parkade_operator.shards.store import PlatformStore


def read_header(uid: str, vehicle: str, header: fleet_pb2.PieceHeader) -> list[ShardCommit]:
    """The commits that a piece stands for, nothing of them checked but its name. Raises BadPiece."""
    problem = problem_of_name(header.lease, header.piece)
    if problem is not None or not header.results:
        raise BadPiece(problem or "the piece holds no result")
    key = layout.piece(uid, header.lease, header.piece)
    return [_commit(key, vehicle, result) for result in header.results]


async def keep_piece(store: PlatformStore, key: str, data: bytes) -> None:
    """Create the piece; the same bytes again are fine. Raises BadPiece, StoreError."""
    try:
        await store.create(key, data)
    except AlreadyExists:
        if await store.get(key) != data:
            raise BadPiece(f"{key} was stored with other bytes; a piece keeps its number") from None


def lease_of(commit: ShardCommit) -> str:
    """The lease under which the piece was sent that has this result."""
    return commit.key.rpartition("/")[0].rpartition("/")[2]


def _commit(key: str, vehicle: str, result: fleet_pb2.ShardResult) -> ShardCommit:
    return ShardCommit(
        shard=result.shard,
        attempt=result.attempt,
        key=key,
        offset=result.offset,
        size=result.size,
        output_size=result.output_size,
        sha256=result.sha256,
        vehicle=vehicle,
        succeeded=result.succeeded,
        failed=result.failed,
    )
