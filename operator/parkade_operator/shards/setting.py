"""What the batches of a process share, and what one batch has once it is led."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from parkade_core.batch.failure import FailureCount
from parkade_core.batch.lease import LeaseBook
from parkade_core.batch.plan import Plan
from parkade_core.batch.rate import Rate
from parkade_operator.shards.log import BatchLog
from parkade_operator.shards.spec import Roots
from parkade_operator.shards.store import PlatformStore


@dataclass(frozen=True, slots=True)
class Setting:
    """What every batch of a process shares. *clock* is monotonic seconds, *new_id* makes UUIDs."""

    store: PlatformStore
    roots: Roots
    executor: Executor
    clock: Callable[[], float]
    new_id: Callable[[], str]
    on_change: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Led:
    """What exists once a batch is planned and its log is claimed."""

    plan: Plan
    log: BatchLog
    book: LeaseBook
    failures: FailureCount
    rate: Rate
