"""The lease book of one batch: who works on which shard, and until when.

A lease is a hint that saves work; the commit log alone decides. So the book lives in memory, a new leader
starts with an empty one, and holders that renew are adopted.

A shard that a vehicle failed goes to another one: the vehicle gets it again only when no other shard is open,
and when no vehicle that did not fail it holds a lease or asked for one within the last minute.
"""

import heapq
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from parkade_api.wellknown import MOST_LEASED_SHARDS

ASKING_SECONDS: Final = 60.0

_OPEN: Final = 0
_LEASED: Final = 1
_COMMITTED: Final = 2


@dataclass(frozen=True, slots=True)
class Attempts:
    """A new lease: its shards, each with the id of this attempt at it."""

    lease: str
    deadline: float
    shards: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Expired:
    """A lease whose holder let its deadline pass, and the shards that are open again."""

    lease: str
    vehicle: str
    shards: tuple[int, ...]


@dataclass(slots=True)
class _Lease:
    vehicle: str
    deadline: float
    shards: set[int] = field(default_factory=set)


class LeaseBook:
    """Times are seconds on the caller's monotonic clock; *seconds* is how long a lease lasts.

    *parallelism* is the most shards under lease at a time; 0 means no limit.
    """

    def __init__(self, shards: int, seconds: float, parallelism: int = 0) -> None:
        self.parallelism = parallelism
        self.seconds = seconds
        self._states = bytearray(shards)
        self._cursor = 0
        self._returned: list[int] = []
        self._leases: dict[str, _Lease] = {}
        self._lease_of: dict[int, str] = {}
        self._committed = 0
        self._failed: dict[int, set[str]] = {}
        self._asked: dict[str, float] = {}

    @property
    def leased(self) -> int:
        """Shards under lease and not committed."""
        return len(self._lease_of)

    @property
    def remaining(self) -> int:
        """Shards that are not committed."""
        return len(self._states) - self._committed

    def grant(
        self, vehicle: str, want: int, now: float, lease: str, attempts: Sequence[str]
    ) -> Attempts | None:
        """Lease up to *want* open shards, lowest first; None when none is to be had or parallelism forbids it."""
        self._asked[vehicle] = now
        most = min(max(want, 1), MOST_LEASED_SHARDS, len(attempts))
        if self.parallelism:
            most = min(most, self.parallelism - self.leased)
        taken = self._take(most, vehicle, lease, now)
        if not taken:
            return None
        self._leases[lease] = _Lease(vehicle, now + self.seconds, set(taken))
        return Attempts(lease, now + self.seconds, tuple(zip(taken, attempts, strict=False)))

    def holds(self, vehicle: str, lease: str, shard: int) -> bool:
        """Whether the vehicle has that shard under that lease."""
        held = self._leases.get(lease)
        return held is not None and held.vehicle == vehicle and shard in held.shards

    def holder(self, lease: str) -> str | None:
        """The vehicle of a lease; None when the lease is over or unknown."""
        held = self._leases.get(lease)
        return held.vehicle if held else None

    def renew(self, vehicle: str, lease: str, now: float) -> None:
        """The holder was heard of: its deadline starts again."""
        if self.holder(lease) == vehicle:
            self._leases[lease].deadline = now + self.seconds

    def adopt(self, vehicle: str, lease: str, shards: Iterable[int], now: float) -> tuple[int, ...]:
        """Take in what a vehicle says it holds: open shards become its own, the deadline starts again.

        Returns those that it has lost: another vehicle holds them, or they are committed.
        """
        named = set(shards)
        if self.holder(lease) in (None, vehicle):
            self._take_in(vehicle, lease, named, now)
        return tuple(sorted(s for s in named if self.holder(self._lease_of.get(s, "")) != vehicle))

    def hand_back(
        self, vehicle: str, lease: str, shards: Iterable[int], *, failed: bool = False
    ) -> tuple[int, ...]:
        """Open again what the holder gives back; returns the shards that it did hold.

        *failed* says that the vehicle tried and could not.
        """
        if self.holder(lease) != vehicle:
            return ()
        returned = tuple(sorted(self._leases[lease].shards.intersection(shards)))
        self._reopen(lease, returned)
        for shard in returned if failed else ():
            self._failed.setdefault(shard, set()).add(vehicle)
        return returned

    def release(self, vehicle: str, keep: AbstractSet[str]) -> tuple[int, ...]:
        """Open again all that the vehicle holds but under the leases in *keep*; returns those shards."""
        over = [
            lease for lease, held in self._leases.items() if held.vehicle == vehicle and lease not in keep
        ]
        released = [self.hand_back(vehicle, lease, self._leases[lease].shards) for lease in over]
        return tuple(sorted(shard for shards in released for shard in shards))

    def expire(self, now: float) -> list[Expired]:
        """End every lease whose deadline has passed; its shards are open again."""
        over = [(lease, held) for lease, held in self._leases.items() if held.deadline <= now]
        expired = [Expired(lease, held.vehicle, tuple(sorted(held.shards))) for lease, held in over]
        for lease in expired:
            self._reopen(lease.lease, lease.shards)
        return expired

    def committed(self, shard: int) -> None:
        """The log decided the shard: nobody needs to work on it any more."""
        if self._states[shard] == _COMMITTED:
            return
        self._states[shard] = _COMMITTED
        self._committed += 1
        self._failed.pop(shard, None)
        lease = self._lease_of.pop(shard, None)
        if lease is not None:
            self._leases[lease].shards.discard(shard)
            self._drop_if_empty(lease)

    def _take_in(self, vehicle: str, lease: str, named: AbstractSet[int], now: float) -> None:
        mine = [s for s in named if 0 <= s < len(self._states) and self._states[s] == _OPEN]
        held = self._leases.get(lease)
        if held is None:
            if not mine:
                return
            held = self._leases[lease] = _Lease(vehicle, now)
        for shard in mine:
            self._lease_out(shard, lease)
            held.shards.add(shard)
        held.deadline = now + self.seconds

    def _take(self, most: int, vehicle: str, lease: str, now: float) -> list[int]:
        taken: list[int] = []
        avoided: set[int] = set()
        while len(taken) < most and (shard := self._next()) is not None:
            if vehicle in self._failed.get(shard, ()):
                avoided.add(shard)
            else:
                self._lease_out(shard, lease)
                taken.append(shard)
        if not taken and avoided:
            taken = self._take_failed(most, avoided, lease, now)
        for shard in avoided.difference(taken):
            heapq.heappush(self._returned, shard)
        return taken

    def _take_failed(self, most: int, avoided: set[int], lease: str, now: float) -> list[int]:
        others = self._others(now)
        taken = [shard for shard in sorted(avoided) if others <= self._failed[shard]][:most]
        for shard in taken:
            self._lease_out(shard, lease)
        return taken

    def _others(self, now: float) -> set[str]:
        """Vehicles that may take a shard soon."""
        self._asked = {name: at for name, at in self._asked.items() if now - at < ASKING_SECONDS}
        return self._asked.keys() | {held.vehicle for held in self._leases.values()}

    def _next(self) -> int | None:
        while self._returned:
            shard = heapq.heappop(self._returned)
            if self._states[shard] == _OPEN:
                return shard
        found = self._states.find(_OPEN, self._cursor)
        # What is opened again is found among the returned, so the cursor never has to go back.
        self._cursor = len(self._states) if found < 0 else found + 1
        return None if found < 0 else found

    def _lease_out(self, shard: int, lease: str) -> None:
        self._states[shard] = _LEASED
        self._lease_of[shard] = lease

    def _reopen(self, lease: str, shards: Iterable[int]) -> None:
        held = self._leases[lease]
        for shard in shards:
            held.shards.discard(shard)
            self._states[shard] = _OPEN
            del self._lease_of[shard]
            heapq.heappush(self._returned, shard)
        self._drop_if_empty(lease)

    def _drop_if_empty(self, lease: str) -> None:
        if not self._leases[lease].shards:
            del self._leases[lease]
