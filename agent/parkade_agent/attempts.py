"""The vehicle's attempts at shards, of all its slots, from the grant until their fate is known.

What was granted and what is finished is in the journal before anything depends on it, and the bytes of a result lie
in a folder that no slot's program can write. So results reach the gateway however late, also after their slot has
ended, and after the agent was killed. When the disk takes no more, a result stays in memory and is sent all the same.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog

from parkade_agent import durable, metrics, wire
from parkade_agent.door import Door
from parkade_agent.errors import JournalBroken
from parkade_agent.journal.attempts import Attempt, Fate, Left
from parkade_agent.journal.journal import Journal
from parkade_agent.pieces import Finished, Pieces, Verdicts, read_whole
from parkade_agent.session import Session
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import ShardFault
from parkade_core.batch.piece import problem_of_size
from parkade_core.vehicle.assignment import is_name

MOST_FINISHED = 64
"""Until the pool has told how many."""
_MOST_LEASES = 4096
"""Of so many the next piece's number is known without the journal: far more than have anything unsent."""
_CORRUPT = "the bytes in the slot's folder are not what the sidecar stated"
_T = TypeVar("_T")
_log = structlog.get_logger()


class AttemptBook:
    """Everything runs in the event loop, the journal in one thread of its own, so that it hears things in order.

    *folder* is for the bytes of results; what no journal row stands for is removed from it. `most` is how many
    finished shards the vehicle keeps while it cannot send them; `listeners` hear that there is room for more.
    """

    def __init__(self, folder: Path, journal: Journal, door: Door, session: Session) -> None:
        self.folder = folder
        self._journal = journal
        self._door = door
        self._session = session
        self._pen = ThreadPoolExecutor(1, "journal")
        self._finished: dict[str, Finished] = {}
        self._keeping: dict[asyncio.Task[None], Attempt] = {}
        self._pieces: dict[str, Pieces] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._numbers: dict[str, int] = {}
        self.most = MOST_FINISHED
        self.listeners: list[Callable[[], None]] = []

    @property
    def room(self) -> int:
        """How many more finished shards the vehicle may keep; none while the link may not carry them."""
        if not self._door.carries_work:
            return 0
        return max(0, self.most - len(self._finished) - len(self._keeping))

    def carry_work(self, *, may: bool) -> None:
        """From now on bundles, shards and results *may* use the link, or may not."""
        if may is not self._door.carries_work:
            self._door.carry_work(may=may)
            for listener in self.listeners:
                listener()

    def recover(self, left: Left) -> list[Attempt]:
        """Sends what an earlier agent had finished; returns what it had in hand. Called once, before anything else."""
        self._numbers = dict(left.next_pieces)
        for each in left.open:
            if each.outcome is not None:
                self._add(Finished(each.attempt, each.outcome, self.folder / each.attempt.uid))
        asyncio.get_running_loop().run_in_executor(self._pen, self._remove_but, frozenset(self._finished))
        return [each.attempt for each in left.open if each.outcome is None]

    def new_in(self, grant: fleet_pb2.LeaseGrant, batch_uid: str) -> list[Attempt]:
        """The attempts that a grant brings: those with names that may be files' names, and not finished before."""
        named = [shard for shard in grant.shards if is_name(shard.attempt)]
        if len(named) < len(grant.shards):
            _log.warning(
                "badly named shards dropped", lease=grant.lease[:64], shards=len(grant.shards) - len(named)
            )
        known = {attempt.uid for attempt in self.unsent()}
        return [
            Attempt(grant.pod_uid, batch_uid, grant.lease, shard)
            for shard in named
            if shard.attempt not in known
        ]

    async def take(self, attempts: Sequence[Attempt]) -> None:
        """These were granted to a slot. Raises JournalBroken: then they must not be worked on."""
        await self._write(lambda: self._journal.attempts.take(attempts))

    async def finish(self, attempt: Attempt, file: Path, outcome: vehicle_pb2.ShardOutcome) -> None:
        """The slot's programs have written the attempt's result into *file*; when this returns, it is safe.

        Who waits for it may be cancelled at any time, as a call whose runner has gone away: the book keeps it anyhow.
        """
        if (problem := problem_of_size(outcome.size)) is not None:
            self.hand_back([attempt], ShardFault.PIECE_REFUSED, problem)
            return
        task = asyncio.create_task(self._keep(attempt, file, outcome), name="keep a result")
        self._keeping[task] = attempt
        task.add_done_callback(self._keeping.pop)
        await asyncio.shield(task)

    def hand_back(
        self, attempts: Iterable[Attempt], reason: str, message: str = "", fate: Fate = Fate.RETURNED
    ) -> None:
        """The vehicle will not bring these: others may have them at once."""
        leases: dict[tuple[str, str], list[Attempt]] = {}
        for attempt in attempts:
            leases.setdefault((attempt.batch_uid, attempt.lease), []).append(attempt)
        for (batch_uid, lease), group in leases.items():
            shards = [attempt.shard.shard for attempt in group]
            self._session.keep_saying(wire.handback(batch_uid, lease, shards, reason, message))
            self._settle_later([attempt.uid for attempt in group], fate)

    def lost(self, attempts: Iterable[Attempt]) -> None:
        """The shards of these, which were in hand, are committed: nobody waits for them, and nobody is told."""
        self._settle_later([attempt.uid for attempt in attempts], Fate.LOST)

    def flush(self, batch_uid: str) -> None:
        """Sends what is finished of a batch without waiting for more."""
        if batch_uid in self._pieces:
            self._pieces[batch_uid].flush()

    def unsent(self) -> Iterator[Attempt]:
        """The finished attempts whose verdict was not heard yet."""
        yield from self._keeping.values()
        yield from (finished.attempt for finished in self._finished.values())

    async def drained(self) -> None:
        """Returns when the verdict of all that is finished was heard and noted."""
        await self._all_kept()
        for batch_uid in list(self._pieces):
            self.flush(batch_uid)
        while self._sending:
            await asyncio.wait(self._sending.values())
        await self._write(lambda: None)

    async def forget(self, reason: str) -> None:
        """Gives up every result that was not sent: the files may go. Raises JournalBroken."""
        await self._stop_sending()
        given_up = [finished.attempt for finished in self._finished.values()]
        self._finished.clear()
        self.hand_back(given_up, reason)
        await self._write(self._journal.attempts.forget_open)

    async def stop(self) -> None:
        """Sends nothing more; what is finished is sent by the next agent."""
        await self._stop_sending()
        await asyncio.to_thread(self._pen.shutdown)

    def _remove_but(self, names: AbstractSet[str]) -> None:
        """Removes the files that no journal row stands for."""
        with contextlib.suppress(OSError):  # a read-only disk keeps them, and is told by the journal
            for path in [path for path in self.folder.iterdir() if path.name not in names]:
                path.unlink()

    def _add(self, finished: Finished) -> None:
        batch_uid = finished.attempt.batch_uid
        self._finished[finished.attempt.uid] = finished
        verdicts = Verdicts(self._number, self._settled, self._failed)
        pieces = self._pieces.setdefault(batch_uid, Pieces(self._door, verdicts))
        pieces.add(finished)
        if batch_uid not in self._sending:
            self._sending[batch_uid] = asyncio.create_task(self._send(batch_uid, pieces), name="send pieces")

    async def _send(self, batch_uid: str, pieces: Pieces) -> None:
        try:
            await pieces.run()
        finally:
            del self._pieces[batch_uid], self._sending[batch_uid]

    async def _number(self, group: Sequence[Finished]) -> int:
        lease, uids = group[0].attempt.lease, [finished.attempt.uid for finished in group]
        number = self._numbers.get(lease, 0)
        with contextlib.suppress(JournalBroken):
            number = await self._write(lambda: self._journal.attempts.number_piece(lease, uids, number))
        self._numbers.pop(lease, None)
        self._numbers[lease] = number + 1
        if len(self._numbers) > _MOST_LEASES:
            del self._numbers[next(iter(self._numbers))]
        return number

    def _settled(self, finished: Finished, fate: Fate) -> None:
        metrics.count_shard(finished.outcome)
        self._settle_later([finished.attempt.uid], fate)
        self._let_go(finished)

    def _failed(self, finished: Finished, reason: str, message: str) -> None:
        # Without a fault of the shard's own nobody has refused it: the vehicle gives it back.
        fate = Fate.REFUSED if reason else Fate.RETURNED
        self.hand_back([finished.attempt], reason, message, fate)
        self._let_go(finished)

    def _let_go(self, finished: Finished) -> None:
        self._finished.pop(finished.attempt.uid, None)
        for listener in self.listeners:
            listener()

    async def _all_kept(self) -> None:
        while self._keeping:
            await asyncio.wait(self._keeping)

    async def _stop_sending(self) -> None:
        await self._all_kept()
        sending = list(self._sending.values())
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    async def _keep(self, attempt: Attempt, file: Path, outcome: vehicle_pb2.ShardOutcome) -> None:
        finished = await self._write(lambda: self._lay_up(attempt, file, outcome))
        if finished is None:
            self.hand_back([attempt], ShardFault.RESULT_CORRUPT, _CORRUPT)
        else:
            self._add(finished)

    def _lay_up(self, attempt: Attempt, file: Path, outcome: vehicle_pb2.ShardOutcome) -> Finished | None:
        body = read_whole(file, outcome)
        if body is None:
            return None
        finished = Finished(attempt, outcome, self.folder / attempt.uid)
        try:
            durable.write(finished.result, body)
            self._journal.attempts.finish(attempt.uid, outcome)
        except (OSError, JournalBroken) as error:
            _log.warning("a result is in memory only", shard=attempt.shard.shard, error=str(error))
            finished = replace(finished, body=body)
        with contextlib.suppress(OSError):  # a folder in its place goes with the slot's folder
            file.unlink()
        return finished

    def _settle_later(self, attempts: Sequence[str], fate: Fate) -> None:
        asyncio.get_running_loop().run_in_executor(self._pen, self._settle, attempts, fate)

    def _settle(self, attempts: Sequence[str], fate: Fate) -> None:
        # What cannot be noted now is sent again by the next agent, and hears the same verdict.
        with contextlib.suppress(OSError, JournalBroken):
            self._journal.attempts.settle((attempt, fate) for attempt in attempts)
            for attempt in filter(is_name, attempts):
                (self.folder / attempt).unlink(missing_ok=True)

    async def _write(self, action: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pen, action)
