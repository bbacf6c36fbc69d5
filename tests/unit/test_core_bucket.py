"""How much one caller may ask: a burst at once, a rate in the long run, a reason when it is too much."""

from hypothesis import given
from hypothesis import strategies as st

from parkade_core.bucket import Bucket, Limit, is_full, take

LIMIT = Limit(rate=2.0, burst=10.0)


def test_a_burst_is_granted_and_then_a_rate() -> None:
    """Ten at once, the eleventh has to wait half a second, and waiting helps."""
    bucket: Bucket | None = None
    for _ in range(10):
        taken = take(bucket, LIMIT, 0.0)
        assert taken.granted
        bucket = taken.bucket
    refused = take(bucket, LIMIT, 0.0)
    assert (refused.granted, refused.wait_seconds) == (False, 0.5)
    assert take(refused.bucket, LIMIT, 0.5).granted


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 5)), max_size=60))
def test_nobody_gets_more_than_burst_and_rate(asked: list[tuple[float, float]]) -> None:
    """Whatever is asked when, what is granted stays within burst + rate * time, and a promised wait is kept."""
    bucket, now, granted = None, 0.0, 0.0
    for pause, cost in asked:
        now += pause
        taken = take(bucket, LIMIT, now, cost)
        bucket = taken.bucket
        if taken.granted:
            granted += cost
        elif cost <= LIMIT.burst:
            assert take(bucket, LIMIT, now + taken.wait_seconds + 1e-6, cost).granted
    assert granted <= LIMIT.burst + LIMIT.rate * now + 1e-6


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    """Tokens that were there stay there."""
    bucket = Bucket(5.0, at=100.0)
    assert take(bucket, LIMIT, 50.0).bucket.tokens == 4.0


def test_a_full_bucket_need_not_be_kept() -> None:
    """It is full again when its tokens had the time to come."""
    assert not is_full(Bucket(0.0, at=0.0), LIMIT, 4.9)
    assert is_full(Bucket(0.0, at=0.0), LIMIT, 5.0)
