"""Packs finished shards of one batch into pieces and stores each until the gateway has said its verdicts.

A piece is made once and repeated unchanged, so repeating is safe with any gateway; no two pieces of a lease have the
same number, also when the agent was killed between them.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from parkade_agent.door import Door
from parkade_agent.errors import DoorRefused
from parkade_agent.journal.attempts import Attempt, Fate
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault

PIECE_BYTES = 8 << 20
LINGER_SECONDS = 2.0
_CORRUPT = "the bytes on the vehicle's disk are not those that were kept"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished attempt. Its result lies in the file *result*, or is *body* when the disk did not take it."""

    attempt: Attempt
    outcome: vehicle_pb2.ShardOutcome
    result: Path
    body: bytes | None = None

    def read(self) -> bytes | None:
        """The result's bytes, or None when they are not those that the sidecar announced."""
        return self.body if self.body is not None else read_whole(self.result, self.outcome)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Who is asked for the number of a new piece, and who hears what became of what was in it.

    *failed* hears of a result that cannot be stored, with the fault (empty: none of the shard's) and a sentence.
    """

    number: Callable[[Sequence[Finished]], Awaitable[int]]
    settled: Callable[[Finished, Fate], None]
    failed: Callable[[Finished, str, str], None]


class Pieces:
    """Gathers finished shards of one batch, a piece per lease, and stores them one piece after another."""

    def __init__(self, door: Door, verdicts: Verdicts) -> None:
        self._door = door
        self._verdicts = verdicts
        self._gathered: list[Finished] = []
        self._due = asyncio.Event()

    def add(self, finished: Finished) -> None:
        """Takes a finished shard; while `run` runs it is stored within about two seconds."""
        self._gathered.append(finished)
        if sum(each.outcome.size for each in self._gathered) >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Stores what is gathered without waiting for more."""
        self._due.set()

    async def run(self) -> None:
        """Stores pieces until nothing is left."""
        while self._gathered:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), LINGER_SECONDS)
            self._due.clear()
            while self._gathered:
                await self._store(self._take())

    def _take(self) -> list[Finished]:
        """The oldest lease's finished shards, as many as fit into one piece."""
        lease, size, taken = self._gathered[0].attempt.lease, 0, list[Finished]()
        for finished in self._gathered:
            is_fitting = not taken or size + finished.outcome.size <= PIECE_BYTES
            if finished.attempt.lease == lease and is_fitting:
                taken.append(finished)
                size += finished.outcome.size
        self._gathered = [finished for finished in self._gathered if finished not in taken]
        return taken

    async def _store(self, group: list[Finished]) -> None:
        bodies = await asyncio.to_thread(lambda: [finished.read() for finished in group])
        whole = [(finished, body) for finished, body in zip(group, bodies, strict=True) if body is not None]
        for finished, body in zip(group, bodies, strict=True):
            if body is None:
                # They were right when they were kept: the vehicle's disk is to blame, not the shard.
                self._verdicts.failed(finished, "", _CORRUPT)
        if whole:
            await self._send([finished for finished, _ in whole], [body for _, body in whole])

    async def _send(self, group: Sequence[Finished], bodies: Sequence[bytes]) -> None:
        lease = group[0].attempt.lease
        try:
            header, data = pack(await self._verdicts.number(group), group, bodies)
            reply = await self._door.store(header, data)
        except DoorRefused as error:
            _log.warning("a piece was refused", lease=lease, error=str(error))
            for finished in group:
                self._verdicts.failed(finished, ShardFault.PIECE_REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is
            # A defect of the agent: the shards go back, so that nobody waits for them, and the next piece is tried.
            _log.exception("a piece was not stored", lease=lease)
            for finished in group:
                self._verdicts.failed(finished, "", repr(error))
        else:
            self._settle(group, reply)

    def _settle(self, group: Sequence[Finished], reply: fleet_pb2.StoreReply) -> None:
        lost = {verdict.shard for verdict in reply.verdicts if verdict.outcome == fleet_pb2.Verdict.LOST}
        _log.info("piece settled", lease=group[0].attempt.lease, shards=len(group), lost=sorted(lost))
        for finished in group:
            is_lost = finished.attempt.shard.shard in lost
            self._verdicts.settled(finished, Fate.LOST if is_lost else Fate.COMMITTED)


def pack(
    number: int, group: Sequence[Finished], bodies: Sequence[bytes]
) -> tuple[fleet_pb2.PieceHeader, bytes]:
    """One piece of *group*, whose results are *bodies*: header and bytes."""
    data = b"".join(bodies)
    first = group[0].attempt
    header = fleet_pb2.PieceHeader(
        batch_uid=first.batch_uid, lease=first.lease, piece=number, sha256=hashlib.sha256(data).hexdigest()
    )
    offset = 0
    for finished, body in zip(group, bodies, strict=True):
        header.results.append(_row(finished, offset))
        offset += len(body)
    return header, data


def _row(finished: Finished, offset: int) -> fleet_pb2.ShardResult:
    outcome = finished.outcome
    return fleet_pb2.ShardResult(
        shard=finished.attempt.shard.shard,
        attempt=finished.attempt.uid,
        offset=offset,
        size=outcome.size,
        output_size=outcome.output_size,
        sha256=outcome.sha256,
        succeeded=outcome.succeeded,
        failed=outcome.failed,
    )


def read_whole(path: Path, said: vehicle_pb2.ShardOutcome | fleet_pb2.LeasedShard) -> bytes | None:
    """The bytes of a file that the slot's programs may write, or None when they are not those that were *said*."""
    try:
        with open(path, "rb", opener=_open_regular) as file:
            body = file.read(said.size + 1)
    except OSError:
        return None
    digest = hashlib.sha256(body).hexdigest()
    return body if (len(body), digest) == (said.size, said.sha256) else None


def _open_regular(path: str, flags: int) -> int:
    # The slot's programs write this folder: never follow a link that they planted, nor wait for a pipe of theirs.
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor
