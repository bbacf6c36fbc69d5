"""All batches that this gateway leads: what its wiring, the vehicles' door and the operator's port call."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

import structlog

from parkade_api.bundle import SIGNATURE_NAME
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_api.wellknown import BatchReason
from parkade_core.batch.early import EarlyLeases
from parkade_core.batch.plan import Plan
from parkade_core.batch.progress import Progress
from parkade_core.batch.refusals import RefusalCount
from parkade_core.shown import shown
from parkade_operator.shards import layout, metrics
from parkade_operator.shards.errors import BatchFailure, NoSuchObject, StoreBroken, UnknownBatch
from parkade_operator.shards.files import FileRoot
from parkade_operator.shards.lead import BatchLead
from parkade_operator.shards.leases import BatchLeases
from parkade_operator.shards.setting import Setting
from parkade_operator.shards.spec import BatchSpec, Grant, Roots
from parkade_operator.shards.store import PlatformStore

EXPIRE_SECONDS: Final = 1.0
MOST_EARLY: Final = 10_000
MOST_WORDS: Final = 1024
"""Characters of what a vehicle says, in the status of a batch."""

_BUNDLE_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_log = structlog.get_logger(__name__)


class Batches:
    """Make it in a running event loop. *executor* runs planning and assembling, see `workers.WorkerPool`.

    *clock* is monotonic seconds, *new_id* makes UUIDs, *on_change* is called whenever `status` may differ.
    *broken* is set when a sync of the store failed, here or in a worker: the process must end then.
    `loss_listeners` hear which shards a vehicle has in hand though they are committed: lease and number of each.
    """

    def __init__(
        self,
        store: PlatformStore,
        files: FileRoot,
        executor: Executor,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        roots = Roots(store.root, files.root)
        self._setting = Setting(store, roots, executor, clock, new_id, on_change, self._lost)
        self.loss_listeners: list[Callable[[str, Sequence[tuple[str, int]]], None]] = []
        self.broken = store.broken
        self._leads: dict[str, BatchLead] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._early = EarlyLeases(MOST_EARLY)
        self._refusals: dict[str, RefusalCount] = {}
        self._housekeeping = asyncio.get_running_loop().create_task(self._expire())

    def plan(self, spec: BatchSpec) -> None:
        """Plan and lead a batch. Repeating it changes only suspend, parallelism and the length of new leases."""
        lead = self._leads.get(spec.uid)
        if lead is not None:
            lead.update(spec)
            return
        lead = self._leads[spec.uid] = BatchLead(spec, self._setting, self._early)
        run = self._runs[spec.uid] = asyncio.get_running_loop().create_task(lead.run())
        run.add_done_callback(lambda run: self._ended(spec, run))
        self._setting.on_change()

    async def cancel(self, uid: str) -> None:
        """Lead a batch no more; what is committed stays. Unknown batches are no error."""
        self._early.take(uid)
        self._refusals.pop(uid, None)
        lead, run = self._leads.pop(uid, None), self._runs.pop(uid, None)
        if lead is not None and run is not None:
            run.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(run, return_exceptions=True)
            await lead.close()
            self._setting.on_change()

    def status(self) -> list[Progress]:
        """Every batch known here, finished ones too."""
        return [lead.status() for lead in self._leads.values()]

    def uids(self) -> list[str]:
        """Every batch known here, without a look at how it stands."""
        return list(self._leads)

    def plans(self) -> dict[str, Plan]:
        """The plan of each planned batch; another object for a batch that was dropped and is led again."""
        return {uid: lead.plan for uid, lead in self._leads.items() if lead.plan is not None}

    def input_digest(self, uid: str) -> str | None:
        """The digest of a planned batch's input; None before."""
        lead = self._leads.get(uid)
        return lead.plan.input_digest if lead is not None and lead.plan is not None else None

    def namespace(self, uid: str) -> str | None:
        """The namespace of a batch; None while the operator has not asked for it here."""
        lead = self._leads.get(uid)
        return lead.spec.namespace if lead is not None else None

    def lease(self, uid: str, vehicle: str, want: int) -> Grant | None:
        """Lease up to *want* shards to the vehicle; None when there is none to be had now."""
        lead = self._leads.get(uid)
        if lead is not None:
            self._refusals.setdefault(uid, RefusalCount()).asked(vehicle)
        grant = lead.lease(vehicle, want) if lead is not None else None
        metrics.SHARDS_GRANTED.inc(len(grant.shards) if grant else 0)
        return grant

    def adopt(self, uid: str, vehicle: str, lease: str, shards: Iterable[int]) -> None:
        """Take in a lease that a vehicle says it holds, or renew it; `loss_listeners` hear what of it is in vain.

        After a restart vehicles may speak before the operator does: what they hold is remembered till then.
        """
        leases = self._leases(uid)
        if leases is not None:
            leases.adopt(vehicle, lease, shards)
        else:
            self._early.adopt(uid, vehicle, lease, shards)

    def hand_back(
        self, uid: str, vehicle: str, lease: str, shards: Iterable[int], reason: str = "", message: str = ""
    ) -> None:
        """Open shards again that the vehicle will not finish.

        A *reason* that is a `wellknown.ShardFault` counts as a failure of the shard.
        """
        leases = self._leases(uid)
        if leases is not None:
            leases.hand_back(vehicle, lease, shards, reason, shown(message, MOST_WORDS))
        else:
            self._early.hand_back(uid, vehicle, lease, shards)

    def show_refusal(self, uid: str, message: str) -> None:
        """A vehicle ended a slot because it does not run the batch's bundle: the status shows why."""
        if (lead := self._leads.get(uid)) is not None:
            lead.refusal = shown(message, MOST_WORDS)

    def refuse_model(self, uid: str, vehicle: str, slot: str, message: str) -> None:
        """A vehicle ended a slot because of the batch's model; the batch fails when no vehicle seems to take it.

        Where one has shards of the batch, or had, the model runs.
        """
        lead = self._leads.get(uid)
        if lead is None or lead.leases is None:
            return
        status = lead.status()
        if status.shards_committed or status.shards_leased:
            return
        words = shown(message, MOST_WORDS)
        refused = self._refusals.setdefault(uid, RefusalCount()).note(vehicle, slot, words)
        if refused is not None:
            lead.stop(BatchFailure(BatchReason.MODEL_REFUSED, refused))

    def release(self, uid: str, vehicle: str, keep: AbstractSet[str] = frozenset()) -> None:
        """Open again every shard that the vehicle holds of that batch but under the leases in *keep*."""
        self._early.release(uid, vehicle, keep)
        leases = self._leases(uid)
        if leases is not None:
            leases.release(vehicle, keep)

    def fetch_shard(self, uid: str, vehicle: str, lease: str, shard: int) -> AsyncIterator[bytes]:
        """The bytes of a leased shard, in chunks. Raises UnknownBatch, NotLeading, NotLeased, StoreError."""
        return self._lead(uid).fetch_shard(vehicle, lease, shard)

    def bundle_file(self, uid: str, name: str) -> AsyncIterator[bytes]:
        """`bundle.json` of the batch's bundle, a file that it names, or `bundle.sig`, in chunks.

        An unsigned bundle's `bundle.sig` is empty. Raises UnknownBatch, NoSuchObject, StoreError.
        """
        lead = self._lead(uid)
        if name == SIGNATURE_NAME:
            return self._setting.store.stream(layout.signature(uid))
        if not _BUNDLE_FILE.fullmatch(name):
            raise NoSuchObject(f"{name!r} is no file of a bundle")
        return self._setting.store.stream(layout.bundle_file(lead.spec.model_digest, name))

    async def store_piece(
        self, uid: str, vehicle: str, header: fleet_pb2.PieceHeader, data: bytes
    ) -> list[tuple[int, bool]]:
        """Take finished shards; for each, once durable, whether this attempt is the record.

        Raises UnknownBatch, NotLeading, NotLeased, BadPiece, StoreError. Repeating a piece gives the same
        verdicts.
        """
        verdicts = await self._lead(uid).store_piece(vehicle, header, data)
        metrics.SHARDS.labels("lost").inc(sum(not won for _, won in verdicts))
        return verdicts

    async def close(self) -> None:
        """Lead nothing any more."""
        self._housekeeping.cancel()
        await asyncio.gather(self._housekeeping, return_exceptions=True)
        for uid in list(self._leads):
            await self.cancel(uid)

    def _lead(self, uid: str) -> BatchLead:
        try:
            return self._leads[uid]
        except KeyError:
            raise UnknownBatch(
                f"batch {uid} is not led here: it has ended or was deleted, or the gateway has just started"
            ) from None

    def _leases(self, uid: str) -> BatchLeases | None:
        """Of a batch that is led here; None before, and where it is not."""
        lead = self._leads.get(uid)
        return lead.leases if lead is not None else None

    def _lost(self, vehicle: str, shards: Sequence[tuple[str, int]]) -> None:
        for listener in self.loss_listeners:
            listener(vehicle, shards)

    def _ended(self, spec: BatchSpec, run: asyncio.Task[None]) -> None:
        problem = None if run.cancelled() else run.exception()
        if problem is None or self._runs.get(spec.uid) is not run:
            return
        if isinstance(problem, StoreBroken):
            self._setting.store.refuse(problem)
        # Not a failure of the batch: another leader has it, or the store is broken. The operator asks again.
        _log.error("batch dropped", **spec.names, error=str(problem))
        del self._leads[spec.uid], self._runs[spec.uid]
        self._setting.on_change()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            for lead in self._leads.values():
                if lead.leases is not None:
                    lead.leases.expire()
