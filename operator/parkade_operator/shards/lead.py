"""One batch as its leader runs it: planned, led until every shard is committed, sealed, assembled.

Every decision is core's; this is the shell that asks it with the time at hand and carries out what it says.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import structlog

from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import BatchReason
from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.early import EarlyLeases
from parkade_core.batch.errors import BatchError
from parkade_core.batch.piece import problem_of_piece
from parkade_core.batch.plan import Plan
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.batch.rate import Rate
from parkade_operator.shards import layout, metrics
from parkade_operator.shards.assembler import assemble_batch, error_uri, output_uri
from parkade_operator.shards.errors import (
    BadPiece,
    BatchFailure,
    NotLeading,
    NotLeased,
    StoreBroken,
    StoreError,
    StoreUnavailable,
    UnknownBatch,
)
from parkade_operator.shards.failed import FailedRecords
from parkade_operator.shards.leases import BatchLeases
from parkade_operator.shards.log import BatchLog
from parkade_operator.shards.pieces import keep_piece, read_header
from parkade_operator.shards.planner import plan_batch
from parkade_operator.shards.setting import Setting
from parkade_operator.shards.spec import BatchSpec, Grant, Roots

# A worker that was killed is worth a try at once; a full disk is not.
RETRY_SECONDS: Final = (0.5, 5.0)

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Led:
    """What exists once a batch is planned and its log is claimed."""

    plan: Plan
    log: BatchLog
    leases: BatchLeases
    rate: Rate


class BatchLead:
    """Leads one batch; its `run` ends when it is Complete or Failed, raises when it cannot be led here."""

    def __init__(self, spec: BatchSpec, setting: Setting, early: EarlyLeases) -> None:
        self.spec = spec
        self.state = BatchState.PLANNING
        self.plan: Plan | None = None
        self._setting = setting
        self._led: _Led | None = None
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._early = early
        self.refusal = ""
        self._reason = ""
        self._message = ""
        self._manifest_digest = ""
        self._succeeded = 0
        self._failed = 0
        self._failed_records = FailedRecords(setting, spec.uid)

    async def run(self) -> None:
        """Plan, lead, seal, assemble. Raises NotLeading and StoreBroken, which are not the batch's own."""
        try:
            await self._live()
        except (NotLeading, StoreBroken):
            raise
        except BatchFailure as failure:
            self._fail(failure.reason, failure.message)
        except BatchError as error:
            self._fail(BatchReason.LOG_BROKEN, f"the batch's plan or log is damaged: {error}")
        except Exception as error:  # noqa: BLE001 - told to the user, whatever it is
            # Doing it again would end the same way for ever; the user is told instead.
            _log.exception("batch broken", **self.spec.names)
            self._fail(BatchReason.INTERNAL, f"the gateway cannot finish the batch: {error!r}")
        _log.info(
            "batch ended", **self.spec.names, state=self.state, reason=self._reason, message=self._message
        )

    @property
    def leases(self) -> BatchLeases | None:
        """Who works on what; None while the batch is not led yet: what vehicles hold is remembered as early leases."""
        return self._led.leases if self._led is not None else None

    def update(self, spec: BatchSpec) -> None:
        """Take over what may change while a batch runs: suspend, parallelism, and the length of new leases."""
        self.spec = replace(
            self.spec, suspend=spec.suspend, parallelism=spec.parallelism, shard_timeout=spec.shard_timeout
        )
        if self._led is not None:
            self._led.leases.update(spec)

    def status(self) -> Progress:
        """The batch as it stands now."""
        status = Progress(self.state, self.spec.uid, self._reason, self._message, refusal=self.refusal)
        if self.plan is None:
            return status
        status = replace(
            status,
            input_digest=self.plan.input_digest,
            records_total=self.plan.records_total,
            records_succeeded=self._succeeded,
            records_failed=self._failed + self.plan.rejects.count,
            shards_total=len(self.plan.shards),
            output_uri=output_uri(self.spec),
            error_uri=error_uri(self.spec),
            manifest_digest=self._manifest_digest,
            first_failed=self._failed_records.first,
        )
        if self._led is None:
            return status
        return replace(
            status,
            shards_committed=len(self.plan.shards) - self._led.leases.book.remaining,
            shards_leased=self._led.leases.book.leased,
            records_per_second=self._led.rate.per_second(self._setting.clock()),
        )

    def lease(self, vehicle: str, want: int) -> Grant | None:
        """Lease up to *want* shards to the vehicle; None when there is none to be had now."""
        if self._led is None or self.state is not BatchState.RUNNING or self.spec.suspend:
            return None
        return self._led.leases.grant(vehicle, want)

    def fetch_shard(self, vehicle: str, lease: str, shard: int) -> AsyncIterator[bytes]:
        """The bytes of a shard that the vehicle holds, or held and may still finish. Raises NotLeading, NotLeased."""
        if not self._leading().leases.book.may_fetch(vehicle, lease, shard):
            raise NotLeased(f"{vehicle} does not have shard {shard} under lease {lease}")
        return self._setting.store.stream(layout.shard(self.spec.uid, shard))

    async def store_piece(
        self, vehicle: str, header: fleet_pb2.PieceHeader, data: bytes
    ) -> list[tuple[int, bool]]:
        """Check a piece, store it and commit its shards; for each, whether this attempt is the record.

        Raises NotLeading, NotLeased, BadPiece, StoreError.
        """
        led = self._leading()
        commits = read_header(self.spec.uid, vehicle, header)
        led.leases.book.renew(vehicle, header.lease, self._setting.clock())
        verdicts = led.log.verdicts(commits)
        if verdicts is None:
            if not led.leases.book.may_commit(vehicle, header.lease):
                raise NotLeased(
                    f"lease {header.lease} is not {vehicle}'s: another vehicle holds it, or {vehicle} had no lease"
                    f" of batch {self.spec.uid} that this gateway knows of"
                )
            problem = await asyncio.to_thread(problem_of_piece, led.plan, commits, data, header.sha256)
            if problem is not None:
                raise BadPiece(problem)
            await keep_piece(self._setting.store, commits[0].key, data)
            verdicts = await led.log.commit(commits)
            winners = [commit for commit, won in zip(commits, verdicts, strict=True) if won]
            self._failed_records.note(led.plan, winners, data)
        return [(commit.shard, won) for commit, won in zip(commits, verdicts, strict=True)]

    async def close(self) -> None:
        """Lead no more; what is committed stays."""
        if self._led is not None:
            await self._led.log.close()

    def _leading(self) -> _Led:
        if self.state is BatchState.FAILED:
            raise UnknownBatch(f"batch {self.spec.uid} has failed; it takes no results")
        if self._led is None:
            raise NotLeading(f"batch {self.spec.uid} is not planned yet")
        return self._led

    async def _live(self) -> None:
        self.plan = await self._patiently(self._in_worker("plan", plan_batch))
        self._led = await self._patiently(partial(self._take_the_lead, self.plan))
        self._enter(BatchState.RUNNING)
        await self._end
        self._enter(BatchState.FINALIZING)
        await self._led.log.seal()
        self._manifest_digest = await self._patiently(self._in_worker("assemble", assemble_batch))
        # A piece whose vehicle hung up before its verdict was never looked at.
        await self._patiently(partial(self._failed_records.read, self.plan, self._led.log.winners))
        self._enter(BatchState.COMPLETE)

    def _fail(self, reason: BatchReason, message: str) -> None:
        self._reason, self._message = reason, message
        self._enter(BatchState.FAILED)

    async def _take_the_lead(self, plan: Plan) -> _Led:
        setting, spec = self._setting, self.spec
        log = await BatchLog.open(setting.store, spec.uid, setting.new_id(), self._on_durable, self.stop)
        leases = BatchLeases(spec, plan, setting, self.stop)
        led = _Led(plan, log, leases, Rate(setting.clock()))
        self._count(led, list(log.winners.values()))
        with suppress(StoreError):
            await self._failed_records.read(plan, log.winners)
        for vehicle, lease, shards in self._early.take(spec.uid):
            leases.adopt(vehicle, lease, shards)
        return led

    def _on_durable(self, commits: Sequence[ShardCommit]) -> None:
        if self._led is not None and commits:
            self._led.rate.add(sum(c.succeeded + c.failed for c in commits), self._setting.clock())
            self._count(self._led, commits)
            self._setting.on_change()

    def _count(self, led: _Led, commits: Sequence[ShardCommit]) -> None:
        led.leases.committed(commits)
        self._succeeded += sum(commit.succeeded for commit in commits)
        self._failed += sum(commit.failed for commit in commits)
        if not led.leases.book.remaining and not self._end.done():
            self._end.set_result(None)

    def stop(self, problem: Exception) -> None:
        """End a batch that is led, with *problem*; one that has its end keeps it."""
        if not self._end.done():
            self._end.set_exception(problem)

    def _in_worker(self, stage: str, work: Callable[[BatchSpec, Roots], T]) -> Callable[[], Awaitable[T]]:
        setting = self._setting

        async def run() -> T:
            setting.store.blocking.check()
            loop = asyncio.get_running_loop()
            with metrics.STAGE_SECONDS.labels(stage).time():
                return await loop.run_in_executor(setting.executor, work, self.spec, setting.roots)

        return run

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat what fails for reasons not the batch's own; the status says what is waited for."""
        wait, longest = RETRY_SECONDS
        while True:
            try:
                return await action()
            except (StoreUnavailable, BrokenProcessPool) as error:
                self._message = f"No fault of the batch; it is tried again in {wait:g} s: {error}"
                _log.warning("batch waits", **self.spec.names, error=str(error))
                self._setting.on_change()
                await asyncio.sleep(wait)
                wait = min(wait * 2, longest)

    def _enter(self, state: BatchState) -> None:
        self.state = state
        if state is not BatchState.FAILED:
            self._message = ""
        self._setting.on_change()
