"""What the batches of a process share."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from parkade_operator.shards.spec import Roots
from parkade_operator.shards.store import PlatformStore


@dataclass(frozen=True, slots=True)
class Setting:
    """What every batch of a process shares. *clock* is monotonic seconds, *new_id* makes UUIDs.

    *on_loss* hears which shards a vehicle has in hand in vain: lease and number of each.
    """

    store: PlatformStore
    roots: Roots
    executor: Executor
    clock: Callable[[], float]
    new_id: Callable[[], str]
    on_change: Callable[[], None]
    on_loss: Callable[[str, Sequence[tuple[str, int]]], None]
