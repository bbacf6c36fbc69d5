"""A vehicle's time of day is compared with the gateway's when it dials in, and told in plain words."""

import pytest

from parkade_core.vehicle.skew import problem_of_clock

NOW = 1_795_338_000.0


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0.0, None),
        (120.0, None),
        (-120.0, None),
        (3600.0, "60 min ahead of the gateway's"),
        (-3600.0, "60 min behind the gateway's"),
        (-NOW, "behind the gateway's"),
    ],
)
def test_a_clock_that_differs_is_told(ahead: float, words: str | None) -> None:
    """Seconds are nothing; an hour is said with its direction, and what depends on it and what does not."""
    problem = problem_of_clock(NOW + ahead, NOW)
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert words in problem
        assert "pay do not depend on it" in problem
