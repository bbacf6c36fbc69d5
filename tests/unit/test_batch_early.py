"""Leases that vehicles speak of before their batch is led."""

from parkade_core.batch.early import EarlyLeases


def test_what_is_held_early_is_taken_once() -> None:
    """A batch takes what was said of it, merged by lease; others stay."""
    early = EarlyLeases(10)
    early.adopt("b1", "v1", "l1", [2])
    early.adopt("b1", "v1", "l1", [0])
    early.adopt("b2", "v1", "l2", [5])
    assert early.take("b1") == [("v1", "l1", [0, 2])]
    assert early.take("b1") == []
    assert early.take("b2") == [("v1", "l2", [5])]


def test_what_is_given_back_early_is_not_held() -> None:
    """Handing back and releasing prune; leases to keep and other vehicles' stay."""
    early = EarlyLeases(10)
    for vehicle, lease in (("v1", "l1"), ("v1", "l2"), ("v1", "l3"), ("v2", "l4")):
        early.adopt("b1", vehicle, lease, [0, 1])
    early.hand_back("b1", "v1", "l1", [0])
    early.hand_back("b1", "v1", "l4", [0])
    early.hand_back("b1", "v1", "l2", [0, 1])
    early.release("b1", "v1", {"l1"})
    assert early.take("b1") == [("v1", "l1", [1]), ("v2", "l4", [0, 1])]


def test_memory_is_bounded() -> None:
    """Past the limit a new lease is dropped; one that is known still grows."""
    early = EarlyLeases(1)
    early.adopt("b1", "v1", "l1", [0])
    early.adopt("b1", "v2", "l2", [1])
    early.adopt("b1", "v1", "l1", [2])
    assert early.take("b1") == [("v1", "l1", [0, 2])]
