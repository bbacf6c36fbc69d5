"""What the owner lends of CPU is held, whatever a slot's programs make of the lanes that they are told."""

import pytest

from parkade_core.vehicle.throttle import BESIDE_LANES, most_cores


@pytest.mark.parametrize(
    ("share", "lent", "left", "most"),
    [
        (1.0, 1, None, 1 + BESIDE_LANES),
        (8.0, 4, None, 4 + BESIDE_LANES),
        (8.0, 4, 1, 1 + BESIDE_LANES),
        (4.0, 4, 2, 2 + BESIDE_LANES),
        (1.0, 4, None, 1.0),
        (1.0, 4, 2, 1.0),
        (3.0, 4, 2, 2 + BESIDE_LANES),
        (0.4, 1, 1, 0.4),
        (4.0, 4, 9, 4 + BESIDE_LANES),
        (4.0, 4, 0, BESIDE_LANES),
    ],
)
def test_the_guards_lanes_bound_the_cores(share: float, lent: int, left: int | None, most: float) -> None:
    """A share below the lanes holds as it is; else the lanes of now hold, and what works beside them has room."""
    assert most_cores(share, lent, left) == most
