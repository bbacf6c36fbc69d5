"""Changes: nobody who looks first and waits then misses one."""

from parkade_operator.gateway.changes import Changes


async def test_a_change_between_look_and_wait_is_not_missed() -> None:
    """What is taken before the look is set by a change that comes before the wait."""
    changes = Changes()
    first = changes.next()
    changes.notify()
    assert first.is_set()
    assert not changes.next().is_set()


async def test_every_waiter_hears_a_change() -> None:
    """Any number of waiters share the next change."""
    changes = Changes()
    waiters = [changes.next(), changes.next()]
    changes.notify()
    assert all(waiter.is_set() for waiter in waiters)
