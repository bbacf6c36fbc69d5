"""The lease book: who may work on what, until when; and when failures end a batch."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parkade_api.wellknown import MOST_LEASED_SHARDS, Reason, ShardFault
from parkade_core.batch.failure import MOST_FAILURES, MOST_VEHICLES, FailureCount
from parkade_core.batch.lease import LeaseBook
from parkade_core.batch.rate import Rate

IDS = [f"attempt-{number}" for number in range(100)]


def shards(book: LeaseBook, vehicle: str, want: int, lease: str, now: float = 0.0) -> list[int]:
    """The shards of a new lease; empty when nothing was granted."""
    granted = book.grant(vehicle, want, now, lease, IDS)
    return [shard for shard, _ in granted.shards] if granted else []


@pytest.mark.parametrize(
    ("total", "want", "parallelism", "granted"),
    [(3, 2, 0, 2), (3, 9, 0, 3), (0, 1, 0, 0), (200, 200, 0, MOST_LEASED_SHARDS), (9, 0, 0, 1), (9, 5, 3, 3)],
)
def test_a_grant_is_bounded(total: int, want: int, parallelism: int, granted: int) -> None:
    """By what is wanted, what is open, the most of one lease, and the batch's parallelism."""
    assert len(shards(LeaseBook(total, 300, parallelism), "v1", want, "l1")) == granted


def test_every_attempt_has_an_id_and_the_lease_a_deadline() -> None:
    """Attempt ids are dealt out in order; the deadline is now plus the lease's length."""
    granted = LeaseBook(5, 300).grant("v1", 2, 1000.0, "l1", IDS)
    assert granted is not None
    assert granted.shards == ((0, "attempt-0"), (1, "attempt-1"))
    assert granted.deadline == 1300.0


def test_what_is_handed_back_goes_out_first() -> None:
    """Returned shards are leased before new ones, lowest first; only the holder can return them."""
    book = LeaseBook(6, 300)
    assert shards(book, "v1", 3, "l1") == [0, 1, 2]
    assert book.hand_back("v2", "l1", [0]) == ()
    assert book.hand_back("v1", "l1", [2, 0, 5]) == (0, 2)
    assert book.hand_back("v1", "l1", [2, 0]) == ()
    assert shards(book, "v2", 3, "l2") == [0, 2, 3]
    assert (book.holds("v1", "l1", 1), book.holds("v1", "l1", 0)) == (True, False)


def test_a_lease_expires_unless_its_holder_is_heard_of() -> None:
    """At the deadline, not before; a renewal moves it, by the holder only."""
    book = LeaseBook(2, 300)
    shards(book, "v1", 1, "l1")
    shards(book, "v2", 1, "l2")
    book.renew("v1", "l1", 200.0)
    book.renew("v1", "l2", 200.0)
    assert book.expire(299.9) == []
    assert [(e.lease, e.vehicle, e.shards) for e in book.expire(300.0)] == [("l2", "v2", (1,))]
    assert book.holder("l2") is None
    assert shards(book, "v3", 9, "l3", 300.0) == [1]


def test_a_new_leader_adopts_what_is_free() -> None:
    """Open shards become the holder's; what others hold, what is committed and what does not exist stays."""
    book = LeaseBook(5, 300)
    book.committed(0)
    assert shards(book, "v2", 1, "l2") == [1]
    book.adopt("v1", "l1", [0, 1, 3, 77], 100.0)
    assert [shard for shard in range(5) if book.holds("v1", "l1", shard)] == [3]
    book.adopt("v2", "l1", [4], 100.0)
    assert not book.holds("v2", "l1", 4)
    assert book.expire(399.0) != []
    assert book.holds("v1", "l1", 3), "an adopted lease starts anew"
    book.adopt("v9", "l9", [0, 1, 88], 400.0)
    assert book.holder("l9") == "v9", "shard 1 expired and is open again"


@pytest.mark.parametrize(
    ("lease", "named", "lost"),
    [
        ("own", {0, 1}, ()),
        ("own", {0, 2, 3, 4}, (2, 3)),
        ("own", {4, 99}, (99,)),
        ("ended", {0, 4}, ()),
        ("ended", {2, 3, 4}, (2, 3)),
        ("another's", {2, 3, 4}, (2, 3, 4)),
        ("own", set[int](), ()),
    ],
)
def test_who_comes_back_hears_what_it_has_lost(lease: str, named: set[int], lost: tuple[int, ...]) -> None:
    """Shards of another vehicle, committed ones, and such as there are none; not its own, and not what is free."""
    book = LeaseBook(5, 300)
    assert shards(book, "v1", 2, "own") == [0, 1]
    assert shards(book, "v2", 1, "another's") == [2]
    book.committed(3)
    assert book.adopt("v1", lease, named, 1.0) == lost


class Book(RuleBasedStateMachine):
    """A book beside a plain dictionary of who holds what."""

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook(12, 10, 7)
        self.now = 0.0
        self.held: dict[int, tuple[str, str, float]] = {}
        self.done: set[int] = set()
        self.leases = 0

    vehicles = st.sampled_from(["v1", "v2", "v3"])

    @rule(vehicle=vehicles, want=st.integers(1, 5))
    def grant(self, vehicle: str, want: int) -> None:
        """Granted shards were open, as many as there could be."""
        self.leases += 1
        lease = f"l{self.leases}"
        got = shards(self.book, vehicle, want, lease, self.now)
        free = 12 - len(self.done) - len(self.held)
        assert len(got) == min(want, free, max(0, 7 - len(self.held)))
        assert not (set(got) & (self.done | self.held.keys()))
        self.held |= dict.fromkeys(got, (vehicle, lease, self.now + 10))

    @rule(seconds=st.floats(0.1, 6))
    def expire(self, seconds: float) -> None:
        """Time passes; exactly the leases past their deadline end."""
        self.now += seconds
        self.book.expire(self.now)
        self.held = {shard: held for shard, held in self.held.items() if held[2] > self.now}

    @rule(shard=st.integers(0, 11))
    def commit(self, shard: int) -> None:
        """Any shard may be committed at any time, by anybody, once or again."""
        self.book.committed(shard)
        self.done.add(shard)
        self.held.pop(shard, None)

    @rule(shard=st.integers(0, 11))
    def hand_back(self, shard: int) -> None:
        """A holder returns one shard."""
        if shard in self.held:
            vehicle, lease, _ = self.held.pop(shard)
            assert self.book.hand_back(vehicle, lease, [shard]) == (shard,)

    @rule(vehicle=vehicles)
    def release(self, vehicle: str) -> None:
        """Everything of one vehicle is open again, but its first lease."""
        keep = {held[1] for held in self.held.values() if held[0] == vehicle and held[1] < "l3"}
        over = {s for s, held in self.held.items() if held[0] == vehicle and held[1] not in keep}
        assert self.book.release(vehicle, keep) == tuple(sorted(over))
        self.held = {shard: held for shard, held in self.held.items() if shard not in over}

    @rule(vehicle=vehicles, wanted=st.sets(st.integers(0, 11), max_size=3))
    def adopt(self, vehicle: str, wanted: set[int]) -> None:
        """Whoever says it holds open shards gets them."""
        self.leases += 1
        lease = f"l{self.leases}"
        lost = self.book.adopt(vehicle, lease, wanted, self.now)
        others = {shard for shard, held in self.held.items() if held[0] != vehicle}
        assert set(lost) == wanted & (self.done | others)
        free = wanted - self.done - self.held.keys()
        self.held |= dict.fromkeys(free, (vehicle, lease, self.now + 10))

    @invariant()
    def agrees(self) -> None:
        """Counts and holders are the dictionary's."""
        assert (self.book.leased, self.book.remaining) == (len(self.held), 12 - len(self.done))
        assert all(self.book.holds(held[0], held[1], shard) for shard, held in self.held.items())


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_only_failures_count_as_failures() -> None:
    """A vehicle that leaves has not failed; three vehicles that failed one shard end the batch and name it."""
    count = FailureCount()
    for reason in [*Reason, "", "Deleted"]:
        assert all(count.note(f"v{n}", (1,), reason, "") is None for n in range(12))
    verdicts = [count.note(f"v{n}", (0, 1), ShardFault.SHARD_DAMAGED, "boom") for n in range(MOST_VEHICLES)]
    assert verdicts[:-1] == [None] * (MOST_VEHICLES - 1)
    assert verdicts[-1] is not None
    assert (verdicts[-1].shard, verdicts[-1].message) == (
        0,
        "shard 0 failed 3 times on 3 vehicles, last with ShardDamaged: boom",
    )


def test_one_broken_vehicle_fails_the_batch_only_after_many_tries() -> None:
    """Failures of one vehicle do not count as three vehicles', but a fleet of one vehicle still comes to an end."""
    count = FailureCount()
    verdicts = [count.note("v1", (4,), ShardFault.SIDECAR_LOST, "") for _ in range(MOST_FAILURES)]
    assert verdicts[:-1] == [None] * (MOST_FAILURES - 1)
    assert verdicts[-1] is not None
    assert verdicts[-1].message == "shard 4 failed 9 times on one vehicle, last with SidecarLost"


def test_a_failed_shard_goes_to_another_vehicle() -> None:
    """Who failed a shard gets others first, and that one again only when nobody else may take it."""
    book = LeaseBook(3, 300)
    assert shards(book, "v1", 1, "l1") == [0]
    assert book.hand_back("v1", "l1", [0], failed=True) == (0,)
    assert shards(book, "v1", 1, "l2") == [1]
    assert shards(book, "v2", 1, "l3") == [0]
    assert book.hand_back("v2", "l3", [0]) == (0,)
    assert shards(book, "v1", 5, "l4") == [2]
    assert shards(book, "v1", 5, "l5", 59.0) == [], "v2 asked a moment ago"
    assert shards(book, "v1", 5, "l6", 60.0) == [0]


def test_no_shard_is_leased_twice() -> None:
    """A shard that was adopted and given back is found among the returned and among the new, and counts once."""
    book = LeaseBook(4, 300)
    book.adopt("v1", "l1", [2], 0.0)
    book.hand_back("v1", "l1", [2])
    book.adopt("v1", "l2", [2], 0.0)
    book.hand_back("v1", "l2", [2])
    assert shards(book, "v2", 9, "l3") == [2, 0, 1, 3]


def test_a_failed_shard_waits_for_a_vehicle_that_still_holds_a_lease() -> None:
    """A working vehicle will ask again, so the failed shard waits for it, until that one has failed it too."""
    book = LeaseBook(2, 300)
    assert shards(book, "v2", 1, "l1") == [0]
    assert shards(book, "v1", 1, "l2") == [1]
    book.hand_back("v1", "l2", [1], failed=True)
    assert shards(book, "v1", 1, "l3", 100.0) == []
    assert shards(book, "v2", 1, "l4", 100.0) == [1]
    book.hand_back("v2", "l4", [1], failed=True)
    assert shards(book, "v1", 1, "l5", 100.0) == [1]


def test_the_rate_is_of_the_last_minute() -> None:
    """A young batch divides by its age, an old one by a minute; what is older does not count."""
    rate = Rate(100.0)
    assert rate.per_second(100.0) == 0.0
    rate.add(50, 105.0)
    assert rate.per_second(110.0) == 5.0
    rate.add(60, 150.0)
    assert rate.per_second(170.0) == 1.0
    assert rate.per_second(300.0) == 0.0
