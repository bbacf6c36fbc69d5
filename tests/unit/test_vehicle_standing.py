"""For how long a vehicle was parked before its agent began: believed for a moment, and never against the signals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.wellknown import Reason
from parkade_core.vehicle.guard import Action, decide, initial
from parkade_core.vehicle.standing import (
    Standing,
    is_broken,
    is_due,
    noted,
    parked_since,
    recalled,
    resumed,
    stood_for,
)
from support.facts import RULES, facts

STOOD = Standing("boot-1", since=100.0, seen=400.0)
WAITING = replace(RULES, parked_for=200)


@pytest.mark.parametrize(
    ("standing", "boot", "now", "stood"),
    [
        (STOOD, "boot-1", 400.0, 300.0),
        (STOOD, "boot-1", 430.0, 330.0),
        (STOOD, "boot-1", 430.1, None),  # somebody may have driven meanwhile
        (STOOD, "boot-1", 399.0, None),
        (STOOD, "boot-2", 410.0, None),
        (replace(STOOD, boot=""), "", 410.0, None),
        (replace(STOOD, since=401.0), "boot-1", 410.0, None),
        (replace(STOOD, seen=float("nan")), "boot-1", 410.0, None),
        (None, "boot-1", 410.0, None),
    ],
)
def test_a_word_of_an_earlier_agent_counts_for_a_moment(
    standing: Standing | None, boot: str, now: float, stood: float | None
) -> None:
    """In the same boot, half a minute after the vehicle was seen last, and when its numbers can be true."""
    assert stood_for(standing, boot, now) == stood


@given(st.builds(Standing, st.uuids().map(str), st.floats(0, 1e7), st.floats(0, 1e7)))
def test_what_is_noted_is_recalled(standing: Standing) -> None:
    """To the millisecond."""
    found = recalled(noted(standing))
    assert found is not None
    assert (found.boot, found.since) == (standing.boot, pytest.approx(standing.since, abs=1e-3))
    assert found.seen == pytest.approx(standing.seen, abs=1e-3)


def test_a_damaged_note_is_an_error() -> None:
    """Whoever reads it forgets it; one that was taken back is none at all."""
    assert (recalled(None), recalled("")) == (None, None)
    for line in ("boot-1", "boot-1 100", "boot-1 100 soon"):
        with pytest.raises(ValueError, match=r"not enough|could not convert"):
            recalled(line)


@pytest.mark.parametrize(
    ("before", "seen", "broken"),
    [
        (None, STOOD, False),
        (None, None, False),
        (STOOD, replace(STOOD, since=100.001, seen=410.0), False),
        (STOOD, replace(STOOD, since=402.0, seen=410.0), True),
        (STOOD, None, True),
    ],
)
def test_a_note_stands_until_the_vehicle_moves(
    before: Standing | None, seen: Standing | None, broken: object
) -> None:
    """It is true no more also after a drive at which nobody looked."""
    assert is_broken(before, seen) is broken


def test_a_note_is_due_now_and_then() -> None:
    """The first at once, the next when the last is old."""
    assert is_due(None, STOOD)
    assert not is_due(STOOD, replace(STOOD, seen=409.0))
    assert is_due(STOOD, replace(STOOD, seen=410.0))


def test_the_next_guard_goes_on_from_there() -> None:
    """A vehicle that stood for long enough may work at once, and one that did not waits for the rest."""
    stood = decide(facts(WAITING), resumed(initial(1000), since=790), 1000)
    assert (stood.may_start, parked_since(stood)) == (True, 790)
    rest = decide(facts(WAITING), resumed(initial(1000), since=850), 1000)
    assert (rest.reasons, rest.causes[0].remedy) == ((Reason.NOT_PARKED_LONG_ENOUGH,), "wait 50 s")
    assert decide(facts(WAITING), rest, 1060).may_start


def test_a_sign_of_driving_begins_it_anew() -> None:
    """What an earlier agent saw loosens nothing: the signals of now come first."""
    driving = decide(facts(WAITING, SPEED=3), resumed(initial(1000), since=0), 1000)
    assert (driving.action, parked_since(driving)) == (Action.FREEZE, None)
    assert decide(facts(WAITING), driving, 1001).reasons == (Reason.NOT_PARKED_LONG_ENOUGH,)
    assert parked_since(initial(1000)) is None
