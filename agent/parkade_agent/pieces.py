"""Packs finished shards of one slot into pieces and stores each until the gateway has said its verdicts.

A piece is made once and repeated unchanged, so repeating is safe with any gateway.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from parkade_agent import metrics
from parkade_agent.door import Door
from parkade_agent.errors import DoorRefused
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault
from parkade_core.batch.piece import problem_of_size

PIECE_BYTES = 8 << 20
LINGER_SECONDS = 2.0
_CORRUPT = "the bytes on disk are not what the sidecar stated"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished shard, whose result lies in a file of the slot's folder."""

    lease: str
    shard: fleet_pb2.LeasedShard
    result: Path
    outcome: vehicle_pb2.ShardOutcome


class Pieces:
    """Gathers finished shards, a piece per lease, and stores them one piece after another.

    *on_settled* hears of every shard that is settled: committed here or elsewhere. *on_failed* hears of every
    shard whose result cannot be stored, with the fault and a sentence.
    """

    def __init__(
        self,
        batch_uid: str,
        door: Door,
        on_settled: Callable[[Finished], None],
        on_failed: Callable[[Finished, ShardFault, str], None],
    ) -> None:
        self._batch_uid = batch_uid
        self._door = door
        self._on_settled = on_settled
        self._on_failed = on_failed
        self._gathered: list[Finished] = []
        self._due = asyncio.Event()
        self._closed = False
        self._numbers: dict[str, int] = {}
        self._linger: asyncio.TimerHandle | None = None

    def add(self, finished: Finished) -> None:
        """Takes a finished shard; it is stored within about two seconds, unless it is too large for a piece."""
        if (problem := problem_of_size(finished.outcome.size)) is not None:
            self._fail(finished, ShardFault.PIECE_REFUSED, problem)
            return
        self._gathered.append(finished)
        if sum(each.outcome.size for each in self._gathered) >= PIECE_BYTES:
            self.flush()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.flush)

    def flush(self) -> None:
        """Stores what is gathered without waiting for more."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._due.set()

    def close(self) -> None:
        """Lets `run` return once everything gathered is settled."""
        self._closed = True
        self.flush()

    async def run(self) -> None:
        """Stores pieces until closed and empty."""
        while self._gathered or not self._closed:
            await self._due.wait()
            self._due.clear()
            while self._gathered:
                await self._store(self._take())

    def _take(self) -> list[Finished]:
        """The oldest lease's finished shards, as many as fit into one piece."""
        lease, size, taken = self._gathered[0].lease, 0, list[Finished]()
        for finished in self._gathered:
            if finished.lease == lease and (not taken or size + finished.outcome.size <= PIECE_BYTES):
                taken.append(finished)
                size += finished.outcome.size
        self._gathered = [finished for finished in self._gathered if finished not in taken]
        return taken

    async def _store(self, group: list[Finished]) -> None:
        bodies = await asyncio.to_thread(lambda: [_read(finished) for finished in group])
        whole = [(finished, body) for finished, body in zip(group, bodies, strict=True) if body is not None]
        for finished, body in zip(group, bodies, strict=True):
            if body is None:
                self._fail(finished, ShardFault.RESULT_CORRUPT, _CORRUPT)
        if whole:
            await self._send([finished for finished, _ in whole], [body for _, body in whole])

    async def _send(self, group: Sequence[Finished], bodies: Sequence[bytes]) -> None:
        header, data = pack(self._batch_uid, self._next_number(group[0].lease), group, bodies)
        try:
            reply = await self._door.store(header, data)
        except DoorRefused as error:
            _log.warning("a piece was refused", lease=header.lease, piece=header.piece, error=str(error))
            for finished in group:
                self._fail(finished, ShardFault.PIECE_REFUSED, str(error))
        else:
            lost = [verdict.shard for verdict in reply.verdicts if verdict.outcome == fleet_pb2.Verdict.LOST]
            _log.info("piece settled", lease=header.lease, piece=header.piece, shards=len(group), lost=lost)
            for finished in group:
                _remove(finished.result)
                metrics.count_shard(finished.outcome)
                self._on_settled(finished)

    def _fail(self, finished: Finished, fault: ShardFault, message: str) -> None:
        _remove(finished.result)
        self._on_failed(finished, fault, message)

    def _next_number(self, lease: str) -> int:
        number = self._numbers.get(lease, 0)
        self._numbers[lease] = number + 1
        return number


def pack(
    batch_uid: str, number: int, group: Sequence[Finished], bodies: Sequence[bytes]
) -> tuple[fleet_pb2.PieceHeader, bytes]:
    """One piece of *group*, whose results are *bodies*: header and bytes."""
    data = b"".join(bodies)
    header = fleet_pb2.PieceHeader(
        batch_uid=batch_uid, lease=group[0].lease, piece=number, sha256=hashlib.sha256(data).hexdigest()
    )
    offset = 0
    for finished, body in zip(group, bodies, strict=True):
        header.results.append(_row(finished, offset))
        offset += len(body)
    return header, data


def _row(finished: Finished, offset: int) -> fleet_pb2.ShardResult:
    outcome = finished.outcome
    return fleet_pb2.ShardResult(
        shard=finished.shard.shard,
        attempt=finished.shard.attempt,
        offset=offset,
        size=outcome.size,
        output_size=outcome.output_size,
        sha256=outcome.sha256,
        succeeded=outcome.succeeded,
        failed=outcome.failed,
    )


def _read(finished: Finished) -> bytes | None:
    """The result's bytes, or None when they are not those that the sidecar announced."""
    try:
        with open(finished.result, "rb", opener=_open_regular) as file:
            body = file.read(finished.outcome.size + 1)
    except OSError:
        return None
    digest = hashlib.sha256(body).hexdigest()
    return body if (len(body), digest) == (finished.outcome.size, finished.outcome.sha256) else None


def _open_regular(path: str, flags: int) -> int:
    # The slot's programs write this folder: never follow a link that they planted, nor wait for a pipe of theirs.
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # a folder in its place goes with the slot's folder
        path.unlink()
