"""The lease book: who may work on what, until when, and whose work a commit ends."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from parkade_api.wellknown import MOST_LEASED_SHARDS
from parkade_core.batch.lease import MOST_HELD_SHARDS, LeaseBook
from parkade_core.batch.rate import Rate
from support.leases import IDS, shards


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
    book.committed(0, "v3", "l3")
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
    ("lease", "named", "in_vain"),
    [
        ("own", {0, 1}, ()),
        ("own", {0, 2, 3, 4}, (3,)),
        ("own", {4, 99}, (99,)),
        ("ended", {0, 4}, ()),
        ("ended", {2, 3, 4}, (3,)),
        ("another's", {2, 3, 4}, (3,)),
        ("own", set[int](), ()),
    ],
)
def test_who_comes_back_hears_what_it_does_in_vain(
    lease: str, named: set[int], in_vain: tuple[int, ...]
) -> None:
    """Committed shards, and such as there are none; what another vehicle has by now it may finish, too."""
    book = LeaseBook(5, 300)
    assert shards(book, "v1", 2, "own") == [0, 1]
    assert shards(book, "v2", 1, "another's") == [2]
    book.committed(3, "v2", "another's")
    assert book.adopt("v1", lease, named, 1.0) == in_vain


def test_a_commit_ends_the_work_of_all_others() -> None:
    """Who holds the shard, whose lease of it ended, and who said that it has it; once, and not who was first."""
    book = LeaseBook(2, 300)
    shards(book, "slow", 1, "l1")
    book.expire(300.0)
    assert shards(book, "slow", 1, "l2", 300.0) == [0], "a lonely vehicle gets it again while it works on it"
    book.expire(600.0)
    assert shards(book, "quick", 1, "l3", 600.0) == [0]
    assert book.adopt("away", "l0", [0], 600.0) == ()
    told = book.committed(0, "slow", "l2")
    assert told == {("quick", "l3"), ("away", "l0")}
    assert book.committed(0, "quick", "l3") == frozenset()
    assert (book.holder("l3"), book.remaining) == (None, 1)


def test_a_shard_that_outlasts_every_lease_is_still_finished() -> None:
    """Links that blip once a lease move the shard between two vehicles; neither is told to stop it before a commit."""
    book = LeaseBook(1, 10)
    shards(book, "v1", 1, "l1")
    for blip in range(1, 9):
        now = blip * 10.0
        book.expire(now)
        coming = "v1" if blip % 2 else "v2"
        shards(book, "v2" if blip % 2 else "v1", 1, f"l{blip + 1}", now)
        assert book.adopt(coming, f"l{blip}", [0], now) == ()


@pytest.mark.parametrize(
    ("vehicle", "lease", "may"),
    [
        ("granted", "l1", True),
        ("granted", "ended long ago", True),
        ("adopted", "l2", True),
        ("named what is gone", "l3", True),
        ("granted", "l2", False),
        ("stranger", "l1", False),
        ("stranger", "made up", False),
        ("asked in vain", "made up", False),
    ],
)
def test_only_who_had_a_lease_may_commit(vehicle: str, lease: str, *, may: bool) -> None:
    """However late, and under any lease that is nobody's by now; a lease that another holds is the other's."""
    book = LeaseBook(2, 300)
    shards(book, "granted", 1, "l1")
    book.adopt("adopted", "l2", [1], 0.0)
    book.adopt("named what is gone", "l3", [0], 0.0)
    shards(book, "asked in vain", 1, "l4")
    assert book.may_commit(vehicle, lease) == may


def test_one_vehicle_holds_no_more_than_it_can_keep() -> None:
    """Granted and adopted together, however often it asks; what it commits or gives back makes room."""
    book = LeaseBook(MOST_HELD_SHARDS + 500, 300)
    assert book.adopt("greedy", "named", range(MOST_HELD_SHARDS - 100), 0.0) == ()
    asked = [len(shards(book, "greedy", 64, f"l{number}")) for number in range(3)]
    assert asked == [64, 36, 0]
    assert book.adopt("greedy", "more", [MOST_HELD_SHARDS + 7], 0.0) == ()
    assert (book.leased, book.holder("more")) == (MOST_HELD_SHARDS, None)
    book.committed(0, "greedy", "named")
    book.hand_back("greedy", "named", [1])
    assert len(shards(book, "greedy", 64, "l4")) == 2
    assert len(shards(book, "modest", 64, "l5")) == 64


class Book(RuleBasedStateMachine):
    """A book beside a plain dictionary of who holds what."""

    def __init__(self) -> None:
        super().__init__()
        self.book = LeaseBook(12, 10, 7)
        self.now = 0.0
        self.held: dict[int, tuple[str, str, float]] = {}
        self.done: set[int] = set()
        self.late: dict[int, dict[str, str]] = {}
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
        for shard, (vehicle, lease, _) in [each for each in self.held.items() if each[1][2] <= self.now]:
            del self.held[shard]
            self.late.setdefault(shard, {})[vehicle] = lease

    @rule(shard=st.integers(0, 11), vehicle=vehicles, number=st.integers(1, 40))
    def commit(self, shard: int, vehicle: str, number: int) -> None:
        """Any shard may be committed at any time, by anybody, once or again; the others at work on it are named."""
        winner = vehicle, f"l{number}"
        at_work = set(self.late.pop(shard, {}).items())
        at_work |= {self.held.pop(shard)[:2]} if shard in self.held else set()
        assert self.book.committed(shard, *winner) == at_work - {winner}
        self.done.add(shard)

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
        assert set(self.book.adopt(vehicle, lease, wanted, self.now)) == wanted & self.done
        for shard in wanted & self.held.keys():
            self.late.setdefault(shard, {})[vehicle] = lease
        free = wanted - self.done - self.held.keys()
        self.held |= dict.fromkeys(free, (vehicle, lease, self.now + 10))

    @invariant()
    def agrees(self) -> None:
        """Counts and holders are the dictionary's."""
        assert (self.book.leased, self.book.remaining) == (len(self.held), 12 - len(self.done))
        assert all(self.book.holds(held[0], held[1], shard) for shard, held in self.held.items())


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=40)


def test_no_shard_is_leased_twice() -> None:
    """A shard that was adopted and given back is found among the returned and among the new, and counts once."""
    book = LeaseBook(4, 300)
    book.adopt("v1", "l1", [2], 0.0)
    book.hand_back("v1", "l1", [2])
    book.adopt("v1", "l2", [2], 0.0)
    book.hand_back("v1", "l2", [2])
    assert shards(book, "v2", 9, "l3") == [0, 1, 2, 3]


def test_the_rate_is_of_the_last_minute() -> None:
    """A young batch divides by its age, an old one by a minute; what is older does not count."""
    rate = Rate(100.0)
    assert rate.per_second(100.0) == 0.0
    rate.add(50, 105.0)
    assert rate.per_second(110.0) == 5.0
    rate.add(60, 150.0)
    assert rate.per_second(170.0) == 1.0
    assert rate.per_second(300.0) == 0.0
