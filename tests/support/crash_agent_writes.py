"""Every write of an agent by its kind: what it keeps on the vehicle's disk, and the results that it sends."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from parkade_agent.attempts import AttemptBook
from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
from parkade_agent.journal.attempts import Attempts
from parkade_agent.journal.journal import Journal
from parkade_agent.shards import Shards
from support.crashing import Reaper

_T = TypeVar("_T")


def wrap(reaper: Reaper) -> None:
    """Has *reaper* asked before and after every write of this process."""
    writes: tuple[tuple[type, str, str], ...] = (
        (Bundles, "_keep", "keep bundle file"),
        (Bundles, "_fetch", "keep bundle"),
        (Shards, "_fetch", "keep shard"),
        (Door, "store", "store piece"),
    )
    for owner, name, kind in writes:
        setattr(owner, name, _around(reaper, kind, getattr(owner, name)))
    journal: tuple[tuple[type, str, str], ...] = (
        (Journal, "obey", "note assignment"),
        (Attempts, "take", "note shards"),
        (AttemptBook, "_keep", "keep result"),
        (Attempts, "number_piece", "number piece"),
        (Attempts, "settle", "note fate"),
    )
    for owner, name, kind in journal:
        setattr(owner, name, _around_blocking(reaper, kind, getattr(owner, name)))


def _around(reaper: Reaper, kind: str, method: Callable[..., Awaitable[_T]]) -> Callable[..., Awaitable[_T]]:
    async def wrapped(*arguments: Any) -> _T:
        reaper.reach(kind, "before")
        answer = await method(*arguments)
        reaper.reach(kind, "after")
        return answer

    return wrapped


def _around_blocking(reaper: Reaper, kind: str, method: Callable[..., _T]) -> Callable[..., _T]:
    def wrapped(*arguments: Any) -> _T:
        reaper.reach(kind, "before")
        answer = method(*arguments)
        reaper.reach(kind, "after")
        return answer

    return wrapped
