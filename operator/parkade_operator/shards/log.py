"""The shell around a batch's commit log: does what `core.batch.log_writer` says, over the platform store.

Commits that arrive while a put is in flight are gathered into the next segment, so one put at a time is
enough.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.log_writer import LogWriter, Put, Read, Stage
from parkade_operator.shards import layout, metrics
from parkade_operator.shards.errors import (
    AlreadyExists,
    Fenced,
    NoSuchObject,
    NotLeading,
    StoreUnavailable,
)
from parkade_operator.shards.store import PlatformStore

RETRY_SECONDS: Final = 0.5
READS_AT_ONCE: Final = 32

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Caller:
    commits: Sequence[ShardCommit]
    answer: asyncio.Future[list[bool]]


class BatchLog:
    """The log of one batch, led by this process unless it is sealed.

    *on_durable* hears of every commit once it is durable, *on_broken* why this process leads no more.
    """

    def __init__(
        self,
        store: PlatformStore,
        writer: LogWriter,
        on_durable: Callable[[Sequence[ShardCommit]], None],
        on_broken: Callable[[Exception], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._on_durable = on_durable
        self._on_broken = on_broken
        self._callers: list[_Caller] = []
        self._pump: asyncio.Task[None] | None = None
        self._problem: Exception | None = None

    @classmethod
    async def open(
        cls,
        store: PlatformStore,
        uid: str,
        nonce: str,
        on_durable: Callable[[Sequence[ShardCommit]], None],
        on_broken: Callable[[Exception], None],
    ) -> "BatchLog":
        """Verify the whole log and claim it, which fences whoever led before; a sealed log is only read.

        Raises LogBroken. *nonce* is used for no other opening.
        """
        listed = await store.list(layout.log(uid))
        known = int(listed[-1].rpartition("/")[2]) + 1 if listed else 0
        log = cls(store, LogWriter(uid, nonce, known), on_durable, on_broken)
        await log._take_over(known)
        metrics.LOG_CLAIMS.inc(not log.sealed)
        return log

    @property
    def winners(self) -> Mapping[int, ShardCommit]:
        """The durable winner of each shard."""
        return self._writer.ledger.winners

    @property
    def sealed(self) -> bool:
        """Whether the log has ended."""
        return self._writer.stage is Stage.SEALED

    def verdicts(self, commits: Sequence[ShardCommit]) -> list[bool] | None:
        """For each commit whether its attempt is the record; None unless all are decided."""
        verdicts = [self._writer.ledger.verdict(commit.shard, commit.attempt) for commit in commits]
        decided = [verdict for verdict in verdicts if verdict is not None]
        return decided if len(decided) == len(commits) else None

    async def commit(self, commits: Sequence[ShardCommit]) -> list[bool]:
        """Offer attempts; answered when each is durably decided. Raises NotLeading, Fenced, StoreBroken.

        When the caller is cancelled the offer stands.
        """
        decided = self.verdicts(commits)
        if decided is not None:
            return decided
        if self._problem is not None:
            raise self._problem
        caller = _Caller(commits, asyncio.get_running_loop().create_future())
        self._callers.append(caller)
        self._writer.offer(commits)
        self._start_pump()
        with metrics.COMMIT_SECONDS.time():
            return await caller.answer

    async def seal(self) -> None:
        """End the log. Raises what `commit` raises."""
        self._writer.seal()
        if not self.sealed:
            self._start_pump()
        if self._pump is not None:
            await asyncio.shield(self._pump)
        if self._problem is not None:
            raise self._problem

    async def close(self) -> None:
        """Stop writing; open calls raise NotLeading."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._give_up(NotLeading("the batch is no longer led here"))

    async def _take_over(self, known: int) -> None:
        read: dict[int, bytes] = {}
        while self._writer.stage in (Stage.READING, Stage.CLAIMING):
            step = self._writer.step()
            if isinstance(step, Put):
                await self._put(step)
            elif isinstance(step, Read):
                if step.seq not in read:
                    last = max(min(step.seq + READS_AT_ONCE, known), step.seq + 1)
                    read = await self._read(range(step.seq, last))
                if step.seq in read:
                    self._writer.found(read[step.seq])
                else:
                    self._writer.missing()

    async def _read(self, seqs: range) -> dict[int, bytes]:
        keys = [layout.segment(self._writer.ledger.uid, seq) for seq in seqs]
        found = await asyncio.gather(*(self._get(key) for key in keys))
        return {seq: data for seq, data in zip(seqs, found, strict=True) if data is not None}

    async def _get(self, key: str) -> bytes | None:
        try:
            return await self._store.get(key)
        except NoSuchObject:
            return None

    def _start_pump(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while isinstance(put := self._writer.step(), Put):
                await self._put(put)
                metrics.count_durable(put)
                self._on_durable(put.commits)
                self._answer()
        except Exception as error:  # noqa: BLE001 - whatever stopped the log, every open call hears of it
            self._give_up(error)
            self._on_broken(error)

    async def _put(self, put: Put) -> None:
        """Repeat the same key and bytes until the outcome is known."""
        key = layout.segment(self._writer.ledger.uid, put.seq)
        before = self._writer.ledger.next_seq
        while self._writer.ledger.next_seq == before:
            try:
                await self._try(key, put)
            except (StoreUnavailable, NoSuchObject) as error:
                _log.warning("the commit log waits for the store", key=key, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _try(self, key: str, put: Put) -> None:
        try:
            await self._store.create(key, put.data)
        except AlreadyExists:
            self._writer.exists(await self._store.get(key))
        else:
            self._writer.created()
        if self._writer.stage is Stage.FENCED:
            metrics.LOG_FENCES.inc()
            raise Fenced(f"another leader has claimed batch {self._writer.ledger.uid}")

    def _answer(self) -> None:
        waiting = []
        for caller in self._callers:
            verdicts = self.verdicts(caller.commits)
            if verdicts is None:
                waiting.append(caller)
            elif not caller.answer.done():
                caller.answer.set_result(verdicts)
        self._callers = waiting

    def _give_up(self, problem: Exception) -> None:
        self._problem = problem
        for caller in self._callers:
            if not caller.answer.done():
                caller.answer.set_exception(problem)
        self._callers = []
