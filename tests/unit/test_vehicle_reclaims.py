"""How fast owners get their vehicles back: figures of a day, whatever vehicles tell."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.vehicle import reclaims
from parkade_core.vehicle.reclaims import MOST_RECLAIMS, WINDOW_SECONDS, ReclaimFigures, ReclaimWindow
from parkade_operator.gateway.reclaims import ReclaimLog

NONE = ReclaimFigures(0, 0.0, 0.0, 0)
lengths = st.floats(0, 10)


def rank(values: list[float], percent: int) -> float:
    """The nearest rank, counted one by one."""
    return next(
        value for value in sorted(values) if 100 * sum(v <= value for v in values) >= percent * len(values)
    )


@given(st.lists(st.tuples(st.floats(0, 40_000), lengths), min_size=1, max_size=40), lengths)
def test_figures_are_of_the_last_day(told: list[tuple[float, float]], target: float) -> None:
    """At any time they are those of the reclaims that are younger than a day, each counted once."""
    window, now, heard = ReclaimWindow(0.0), 0.0, []
    for pause, length in told:
        now += pause
        window.add(length, now)
        heard.append((now, length))
        young = [length for at, length in heard if at > now - WINDOW_SECONDS]
        late = sum(length > target for length in young)
        is_partial = now < WINDOW_SECONDS
        expected = ReclaimFigures(len(young), rank(young, 50), rank(young, 99), late, is_partial)
        assert window.figures(target, now) == expected
    assert window.figures(target, now + WINDOW_SECONDS + 1) == NONE


def test_of_many_reclaims_the_newest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window is bounded, and what falls out of it is the oldest."""
    monkeypatch.setattr(reclaims, "MOST_RECLAIMS", 100)
    window = ReclaimWindow(0.0)
    for number in range(250):
        window.add(float(number), 0.0)
    assert window.figures(0.0, 0.0) == ReclaimFigures(100, 199.0, 248.0, 100, is_partial=True)
    assert MOST_RECLAIMS == 10_000


def test_nothing_is_claimed_of_a_day_that_nobody_saw() -> None:
    """A gateway that has just begun to lead knows of no reclaim, which is not the same as that there was none."""
    window = ReclaimWindow(100.0)
    assert window.figures(1.0, 100.0 + WINDOW_SECONDS - 1) is None
    assert window.figures(1.0, 100.0 + WINDOW_SECONDS) == NONE


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def told(*seconds: float) -> list[pb.Reclaim]:
    """Reclaims that took so long."""
    return [pb.Reclaim(reason="Driving", seconds=length) for length in seconds]


def test_reclaims_count_for_the_pool_of_their_vehicle() -> None:
    """A vehicle without a pool spoils nobody's figure."""
    log = ReclaimLog({"ada": "night", "bob": "day"}.get, Clock())
    for vehicle, seconds in (("ada", 0.1), ("bob", 0.2), ("eve", 0.3)):
        log.hear(vehicle, told(seconds))
    assert log.figures("night", 0.15) == ReclaimFigures(1, 0.1, 0.1, 0, is_partial=True)
    assert log.figures("day", 0.15) == ReclaimFigures(1, 0.2, 0.2, 1, is_partial=True)
    assert log.figures("other", 0.15) is None


def test_what_was_stopped_for_no_owner_says_nothing_of_the_promise() -> None:
    """A hot vehicle, a drained pool or a strange word may stop work slowly: no owner waited."""
    log = ReclaimLog(lambda _: "night", Clock())
    log.hear("ada", [pb.Reclaim(reason=reason, seconds=9.0) for reason in ("TooHot", "Held", "NoPool", "?")])
    assert log.figures("night", 1.0) is None
    log.hear("ada", [pb.Reclaim(reason=reason, seconds=0.1) for reason in ("OwnerPaused", "NoConsent")])
    assert log.figures("night", 1.0) == ReclaimFigures(2, 0.1, 0.1, 0, is_partial=True)


@pytest.mark.parametrize("seconds", [math.nan, -1.0, math.inf, 4000.0])
def test_a_reclaim_that_cannot_be_is_no_reclaim(seconds: float) -> None:
    """One vehicle with a broken clock does not spoil the promise's figure; its other reclaims count."""
    log = ReclaimLog(lambda _: "night", Clock())
    log.hear("ada", told(seconds, 0.1))
    assert log.figures("night", 1.0) == ReclaimFigures(1, 0.1, 0.1, 0, is_partial=True)


def test_no_vehicle_outvotes_the_others() -> None:
    """One that tells of reclaims without end counts a few times, and again after a while."""
    clock = Clock()
    log = ReclaimLog(lambda _: "night", clock)
    log.hear("eve", told(*[9.0] * 1000))
    log.hear("ada", told(0.1))
    figures = log.figures("night", 1.0)
    assert figures is not None
    assert (figures.count, figures.violations) == (11, 10)
    clock.now = 61.0
    log.hear("eve", told(9.0, 9.0))
    assert log.figures("night", 1.0) == ReclaimFigures(12, 9.0, 9.0, 11, is_partial=True)
