"""The leases of one batch: the book is asked with the time at hand, and who is concerned hears what it said."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

import structlog

from parkade_api.wellknown import MOST_LEASED_SHARDS, BatchReason
from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.failure import FailureCount, is_failure
from parkade_core.batch.lease import LeaseBook
from parkade_core.batch.plan import Plan
from parkade_operator.shards import metrics
from parkade_operator.shards.errors import BatchFailure
from parkade_operator.shards.pieces import lease_of
from parkade_operator.shards.setting import Setting
from parkade_operator.shards.spec import BatchSpec, Grant, granted_shard

_log = structlog.get_logger(__name__)


class BatchLeases:
    """Who works on what of one batch that is led. *fail* ends the batch, when a shard has failed too often."""

    def __init__(
        self, spec: BatchSpec, plan: Plan, setting: Setting, fail: Callable[[BatchFailure], None]
    ) -> None:
        self.book = LeaseBook(len(plan.shards), spec.shard_timeout, spec.parallelism)
        self._plan = plan
        self._setting = setting
        self._fail = fail
        self._failures = FailureCount()
        self._names = spec.names

    def update(self, spec: BatchSpec) -> None:
        """Take over parallelism, and the length of new leases."""
        self.book.parallelism = spec.parallelism
        self.book.seconds = spec.shard_timeout

    def grant(self, vehicle: str, want: int) -> Grant | None:
        """Lease up to *want* shards to the vehicle; None when there is none to be had now."""
        attempts = [self._setting.new_id() for _ in range(min(max(want, 1), MOST_LEASED_SHARDS))]
        granted = self.book.grant(vehicle, want, self._setting.clock(), self._setting.new_id(), attempts)
        if granted is None:
            return None
        self._setting.on_change()
        shards = tuple(granted_shard(self._plan, shard, attempt) for shard, attempt in granted.shards)
        return Grant(granted.lease, shards)

    def adopt(self, vehicle: str, lease: str, shards: Iterable[int]) -> None:
        """Take in a lease that a vehicle says it holds, or renew it; it hears what of it is in vain."""
        lost = self.book.adopt(vehicle, lease, shards, self._setting.clock())
        if lost:
            self._setting.on_loss(vehicle, [(lease, shard) for shard in lost])
        self._setting.on_change()

    def hand_back(self, vehicle: str, lease: str, shards: Iterable[int], reason: str, message: str) -> None:
        """Open shards again that a vehicle will not finish; the batch fails when one has failed too often."""
        returned = self.book.hand_back(vehicle, lease, shards, failed=is_failure(reason))
        metrics.count_returned(len(returned), reason)
        _log.info("shards handed back", **self._names, vehicle=vehicle, shards=returned, reason=reason)
        failed = self._failures.note(vehicle, returned, reason, message)
        if failed is not None:
            self._fail(BatchFailure(BatchReason.SHARD_FAILED, failed.message))
        self._setting.on_change()

    def release(self, vehicle: str, keep: AbstractSet[str]) -> None:
        """Open again all that a vehicle holds but under the leases in *keep*."""
        released = self.book.release(vehicle, keep)
        if released:
            _log.info("shards released", **self._names, vehicle=vehicle, shards=released)
            self._setting.on_change()

    def expire(self) -> None:
        """Open the shards of leases whose deadline has passed."""
        expired = self.book.expire(self._setting.clock())
        for lease in expired:
            metrics.SHARDS.labels("expired").inc(len(lease.shards))
            _log.warning("lease expired", **self._names, vehicle=lease.vehicle, shards=lease.shards)
        if expired:
            self._setting.on_change()

    def committed(self, commits: Sequence[ShardCommit]) -> None:
        """The log decided these shards: whoever else has one in hand hears that it is in vain."""
        losses: dict[str, list[tuple[str, int]]] = {}
        for commit in commits:
            for vehicle, lease in self.book.committed(commit.shard, commit.vehicle, lease_of(commit)):
                losses.setdefault(vehicle, []).append((lease, commit.shard))
        for vehicle, lost in losses.items():
            self._setting.on_loss(vehicle, lost)
