"""One piece of results as it comes up a vehicle's stream, held to its size and to a least pace."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.batch.piece import problem_of_size
from parkade_operator.door.limits import LEAST_BYTES_PER_SECOND, STORE_SECONDS
from parkade_operator.shards import errors


async def collect(
    parts: AsyncIterator[pb.StoreRequest], hold: Callable[[int], None]
) -> tuple[pb.PieceHeader, bytes]:
    """The piece that *parts* carry; *hold* hears of bytes before they are kept, and may raise.

    Raises BadPiece, and TimeoutError when they come too slowly.
    """
    header: pb.PieceHeader | None = None
    data = bytearray()
    incoming, started = aiter(parts), time.monotonic()
    while (part := await asyncio.wait_for(anext(incoming, None), _patience(started, len(data)))) is not None:
        if part.HasField("header"):
            header = part.header
        if (problem := problem_of_size(len(data) + len(part.data))) is not None:
            raise errors.BadPiece(problem)
        hold(len(part.data))
        data += part.data
    if header is None:
        raise errors.BadPiece("the first message must be the header")
    return header, bytes(data)


def _patience(started: float, received: int) -> float:
    allowed = STORE_SECONDS + received / LEAST_BYTES_PER_SECOND
    return max(0.0, started + allowed - time.monotonic())
