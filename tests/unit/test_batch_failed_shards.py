"""Shards that vehicles fail: who gets them next, and when they end the batch."""

from parkade_api.wellknown import MOST_LEASED_SHARDS, Reason, ShardFault
from parkade_core.batch.failure import MOST_FAILURES, MOST_VEHICLES, FailureCount
from parkade_core.batch.lease import LeaseBook
from support.leases import shards


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


def test_a_vehicle_does_not_take_by_hello_what_it_failed() -> None:
    """It would fail the batch alone by naming the shard in session after session, while others wait for it."""
    book = LeaseBook(2, 300)
    assert shards(book, "v2", 1, "l0") == [0]
    for number in range(MOST_FAILURES):
        assert book.adopt("broken", f"again{number}", [1], number) == ()
        back = book.hand_back("broken", f"again{number}", [1], failed=True)
        assert back == ((1,) if number == 0 else ())
    assert shards(book, "v2", 1, "l8", 9.0) == [1]


def test_who_failed_many_shards_holds_up_nobody() -> None:
    """It gets no fresh ones, so that its asking stays cheap; others get all, and it gets its own when it is alone."""
    many = 3 * MOST_LEASED_SHARDS
    book = LeaseBook(many, 300)
    taken = [shards(book, "broken", 64, f"l{number}") for number in range(2)]
    for number, failed in enumerate(taken):
        book.hand_back("broken", f"l{number}", failed, failed=True)
    assert shards(book, "v2", 1, "l2") == [0]
    assert shards(book, "broken", 64, "l3") == [], "v2 may take them soon"
    assert shards(book, "v2", 64, "l4") == list(range(1, 65))
    book.release("v2", frozenset())
    assert shards(book, "broken", 64, "l5", 60.0) == list(range(64))


def test_a_shard_that_fails_after_its_lease_counts() -> None:
    """Once for each vehicle: one that outlasts every lease and then fails would else be tried for ever."""
    book = LeaseBook(2, 10)
    shards(book, "v1", 1, "l1")
    book.expire(10.0)
    assert shards(book, "v2", 1, "l2", 10.0) == [0]
    assert book.hand_back("v1", "l1", [0, 1], failed=True) == (0,)
    assert book.hand_back("v1", "l1", [0], failed=True) == (), "said twice"
    book.adopt("v1", "l9", [0], 11.0)
    assert book.hand_back("v1", "l9", [0], failed=True) == (), "named again by Hello, and failed already"
    assert book.holds("v2", "l2", 0)
    assert shards(book, "v1", 2, "l3", 12.0) == [1]
