"""Every write of an agent by its kind: what it keeps on the vehicle's disk, and the results that it sends."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from parkade_agent.bundles import Bundles
from parkade_agent.door import Door
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


def _around(reaper: Reaper, kind: str, method: Callable[..., Awaitable[_T]]) -> Callable[..., Awaitable[_T]]:
    async def wrapped(*arguments: Any) -> _T:
        reaper.reach(kind, "before")
        answer = await method(*arguments)
        reaper.reach(kind, "after")
        return answer

    return wrapped
