"""The lease book of one batch: who works on which shard, and until when.

A lease is a hint that saves work; the commit log alone decides. So the book lives in memory, a new leader
starts with an empty one, and holders that renew are adopted.

A vehicle whose lease ended may work on: where a shard takes longer than a lease on every vehicle, one that stopped
it for another would never end it. Only a commit ends the work of the others, who are told then.

A shard that a vehicle failed goes to another one: the vehicle gets it again only when no other shard is open,
and when no vehicle that did not fail it holds a lease or asked for one within the last minute.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final

from parkade_api.wellknown import MOST_LEASED_SHARDS

ASKING_SECONDS: Final = 60.0
MOST_HELD_SHARDS: Final = 1000 + MOST_LEASED_SHARDS
"""Of one vehicle: what the largest `maxBufferedShards` allows it to keep, and one lease more."""

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
    deadline: float = 0.0
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
        self._holding: Counter[str] = Counter()
        self._late: dict[int, dict[str, str]] = {}
        self._workers: set[str] = set()
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
        """Lease up to *want* open shards, lowest first.

        None when none is to be had, when the vehicle holds as many as it may, and when parallelism forbids it.
        """
        self._asked.pop(vehicle, None)  # so that who asked last stands last
        self._asked[vehicle] = now
        most = min(max(want, 1), MOST_LEASED_SHARDS, len(attempts), self._room(vehicle))
        if self.parallelism:
            most = min(most, self.parallelism - self.leased)
        taken = self._take(most, vehicle, now)
        if not taken:
            return None
        self._lease_out(taken, vehicle, lease, now)
        return Attempts(lease, now + self.seconds, tuple(zip(taken, attempts, strict=False)))

    def holds(self, vehicle: str, lease: str, shard: int) -> bool:
        """Whether the vehicle has that shard under that lease."""
        held = self._leases.get(lease)
        return held is not None and held.vehicle == vehicle and shard in held.shards

    def holder(self, lease: str) -> str | None:
        """The vehicle of a lease; None when the lease is over or unknown."""
        held = self._leases.get(lease)
        return held.vehicle if held else None

    def may_fetch(self, vehicle: str, lease: str, shard: int) -> bool:
        """Whether the vehicle may be at work on that shard under that lease: it holds it, or its lease has ended."""
        return self.holds(vehicle, lease, shard) or self._is_late(vehicle, lease, shard)

    def may_commit(self, vehicle: str, lease: str) -> bool:
        """Whether results under that lease may be the vehicle's.

        It holds the lease; or nobody does any more, and the vehicle had some lease of this batch.
        """
        return vehicle in self._workers and self.holder(lease) in (None, vehicle)

    def renew(self, vehicle: str, lease: str, now: float) -> None:
        """The holder was heard of: its deadline starts again."""
        if self.holder(lease) == vehicle:
            self._leases[lease].deadline = now + self.seconds

    def adopt(self, vehicle: str, lease: str, shards: Iterable[int], now: float) -> tuple[int, ...]:
        """Take in what a vehicle says it holds: open shards become its own, the deadline starts again.

        What it does not get because others have it, because it failed it before or because it holds too many, it may
        work on all the same. Returns those that it need not work on: they are committed, or there are none such.
        """
        self._workers.add(vehicle)
        named = set(shards)
        wanted = {s for s in named if 0 <= s < len(self._states) and self._states[s] != _COMMITTED}
        if self.holder(lease) in (None, vehicle):
            self._take_in(vehicle, lease, wanted, now)
        self._note_late(vehicle, lease, (s for s in wanted if not self.holds(vehicle, lease, s)))
        return tuple(sorted(named - wanted))

    def hand_back(
        self, vehicle: str, lease: str, shards: Iterable[int], *, failed: bool = False
    ) -> tuple[int, ...]:
        """Open again what the holder gives back; returns the shards of which it said something new.

        *failed* says that the vehicle tried and could not. That is heard when its lease has ended meanwhile, too, but
        then once: what takes longer than a lease and fails would else be tried for ever.
        """
        given = set(shards)
        back = {shard for shard in given if self.holds(vehicle, lease, shard)}
        late = {shard for shard in given - back if self._is_late(vehicle, lease, shard)}
        self._reopen(back)
        for shard in late:
            del self._late[shard][vehicle]
        if failed:
            back |= {shard for shard in late if vehicle not in self._failed.get(shard, ())}
            for shard in back:
                self._failed.setdefault(shard, set()).add(vehicle)
        return tuple(sorted(back))

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
            self._reopen(lease.shards)
            self._note_late(lease.vehicle, lease.lease, lease.shards)
        return expired

    def committed(self, shard: int, vehicle: str, lease: str) -> frozenset[tuple[str, str]]:
        """The log decided the shard, for what *vehicle* did under *lease*: nobody else needs to work on it any more.

        Returns the others that have it in hand, as far as is known: vehicle and lease of each.
        """
        if self._states[shard] == _COMMITTED:
            return frozenset()
        in_hand = set(self._late.pop(shard, {}).items())
        if shard in self._lease_of:
            in_hand.add(self._take_back(shard))
        self._states[shard] = _COMMITTED
        self._committed += 1
        self._failed.pop(shard, None)
        return frozenset(in_hand - {(vehicle, lease)})

    def _is_late(self, vehicle: str, lease: str, shard: int) -> bool:
        return self._late.get(shard, {}).get(vehicle) == lease

    def _room(self, vehicle: str) -> int:
        return MOST_HELD_SHARDS - self._holding[vehicle]

    def _take_in(self, vehicle: str, lease: str, named: AbstractSet[int], now: float) -> None:
        free = (
            s for s in sorted(named) if self._states[s] == _OPEN and vehicle not in self._failed.get(s, ())
        )
        mine = list(islice(free, self._room(vehicle)))
        if mine or lease in self._leases:
            self._lease_out(mine, vehicle, lease, now)

    def _note_late(self, vehicle: str, lease: str, shards: Iterable[int]) -> None:
        """The vehicle may be at work on these without holding them; of several leases the last one is known."""
        for shard in shards:
            self._late.setdefault(shard, {})[vehicle] = lease

    def _take(self, most: int, vehicle: str, now: float) -> list[int]:
        """Open shards, lowest first.

        Who failed MOST_LEASED_SHARDS of those that are open gets no fresh one: each that it failed is looked at
        whenever it asks, and all others wait for that.
        """
        fresh, avoided = set[int](), set[int]()
        while len(fresh) < most and len(avoided) < MOST_LEASED_SHARDS and (found := self._next()) is not None:
            (avoided if vehicle in self._failed.get(found, ()) else fresh).add(found)
        taken = sorted(fresh) or [shard for shard in sorted(avoided) if self._all_failed(shard, now)][:most]
        for shard in avoided.difference(taken):
            heapq.heappush(self._returned, shard)
        return taken

    def _all_failed(self, shard: int, now: float) -> bool:
        """Whether every vehicle that may take a shard soon has failed this one."""
        failed = self._failed[shard]
        latest = takewhile(lambda asked: now - asked[1] < ASKING_SECONDS, reversed(self._asked.items()))
        return self._holding.keys() <= failed and all(vehicle in failed for vehicle, _ in latest)

    def _next(self) -> int | None:
        while self._returned:
            shard = heapq.heappop(self._returned)
            if self._states[shard] == _OPEN:
                return shard
        found = self._states.find(_OPEN, self._cursor)
        # What is opened again is found among the returned, so the cursor never has to go back.
        self._cursor = len(self._states) if found < 0 else found + 1
        return None if found < 0 else found

    def _lease_out(self, shards: Sequence[int], vehicle: str, lease: str, now: float) -> None:
        self._workers.add(vehicle)
        held = self._leases.setdefault(lease, _Lease(vehicle))
        held.deadline = now + self.seconds
        held.shards.update(shards)
        self._holding[vehicle] += len(shards)
        for shard in shards:
            self._states[shard] = _LEASED
            self._lease_of[shard] = lease

    def _reopen(self, shards: Iterable[int]) -> None:
        for shard in shards:
            self._take_back(shard)
            self._states[shard] = _OPEN
            heapq.heappush(self._returned, shard)

    def _take_back(self, shard: int) -> tuple[str, str]:
        """Ends the lease of one shard; returns its vehicle and its name."""
        lease = self._lease_of.pop(shard)
        held = self._leases[lease]
        held.shards.remove(shard)
        if not held.shards:
            del self._leases[lease]
        self._holding[held.vehicle] -= 1
        if not self._holding[held.vehicle]:
            del self._holding[held.vehicle]
        return held.vehicle, lease
