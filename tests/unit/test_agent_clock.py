"""The vehicle's time of day: what is believed of it, also after a restart, and what ends that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.clock import NOTE, WallClock
from parkade_agent.journal.journal import Journal
from parkade_core.vehicle.daytime import MOST_STEP, NOTE_AFTER, Daytime, believed, must_be_noted
from support.clocks import START, Times

HOUR = 3600.0
YEAR_2099 = datetime(2099, 1, 1, tzinfo=UTC).timestamp()


def test_a_stepped_clock_is_not_believed() -> None:
    """F32: an hour back or ahead leaves the vehicle without a time of day until the clock is right again."""
    times = Times()
    clock = times.clock("Europe/Berlin")
    assert str(clock.now()) == "2026-11-22 13:00:00+01:00"
    times.pass_by(90)
    assert str(clock.now()) == "2026-11-22 13:01:30+01:00"
    for step in (-3600, 7200, -61 - 3600):
        times.real += step
        assert clock.now() is None
    times.real += 31
    assert clock.now() is not None


@pytest.mark.parametrize(("unix", "is_believed"), [(START + 3600, True), (START, False), (0.0, False)])
def test_another_clock_can_only_confirm(unix: float, *, is_believed: bool) -> None:
    """A clock that is set right later is believed when it agrees with the gateway's; a wrong one takes nothing away."""
    times = Times()
    clock = times.clock()
    clock.confirm(unix)
    times.pass_by(1000)
    assert clock.now() is not None
    times.real += 3600
    assert (clock.now() is not None) == is_believed


async def test_a_clock_set_back_while_no_agent_runs_is_not_believed() -> None:
    """Until it has caught up with what was believed before, or the gateway's agrees with it."""
    times = Times()
    before = times.clock()
    assert before.now() is not None
    await before.note(at_once=True)
    times.real -= 2 * HOUR
    clock = times.clock()
    assert clock.now() is None
    times.pass_by(HOUR)
    assert clock.now() is None
    times.pass_by(HOUR - MOST_STEP)
    assert clock.now() is not None
    times.real -= 2 * HOUR
    again = times.clock()
    assert again.now() is None
    again.confirm(times.real + 1)
    assert again.now() is not None


async def test_what_ended_stays_ended_after_a_restart() -> None:
    """A clock set back by less than a minute is believed, but the time goes on from the highest one."""
    times = Times()
    before = times.clock()
    ended = before.now()
    await before.note(at_once=True)
    times.real -= MOST_STEP / 2
    clock = times.clock()
    assert clock.now() == ended
    times.pass_by(MOST_STEP)
    assert str(clock.now()) == "2026-11-22 12:00:30+00:00"


async def test_a_clock_that_once_ran_ahead_locks_nobody_out_for_ever() -> None:
    """After a start in 2099 the right time is believed once the gateway says it; the next start needs no gateway."""
    times = Times()
    right = times.real
    times.real = YEAR_2099
    wrong = times.clock()
    assert wrong.now() is not None
    await wrong.note()
    times.real = right
    clock = times.clock()
    assert clock.now() is None
    clock.confirm(YEAR_2099)
    assert clock.now() is None
    clock.confirm(right)
    assert clock.now() is not None
    await clock.note()
    assert times.clock().now() is not None


async def test_little_is_written() -> None:
    """Once an hour, and when something ends, so that no clock set back to a moment before begins it anew."""
    times = Times()
    clock = times.clock()
    for _ in range(3600):
        times.pass_by(2)
        clock.now()
        await clock.note((START + 1801,))
    assert times.notes.writes == 3  # at first, when it ended, an hour later
    assert float(times.notes.texts[NOTE]) > START + 1801
    times.real -= 5 * HOUR
    clock.now()
    await clock.note()
    assert times.notes.writes == 3


async def test_without_memory_the_gateway_must_agree() -> None:
    """What cannot be read may have been later than now; when it can, the clock is believed by itself."""
    times = Times()
    times.notes.is_broken = True
    clock = times.clock()
    assert clock.now() is None
    await clock.note(at_once=True)
    clock.confirm(times.real)
    assert clock.now() is not None
    await clock.note()
    alone = times.clock()
    times.notes.is_broken = False
    await alone.note()
    assert alone.now() is not None


async def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    """The real journal, and nonsense in it: the gateway must agree, and then it is mended."""
    journal, times = Journal(tmp_path / "journal.sqlite"), Times()
    journal.remember(NOTE, "nonsense")
    clock = WallClock(journal, "UTC", lambda: times.real, lambda: times.steady)
    assert clock.now() is None
    clock.confirm(times.real)
    assert clock.now() is not None
    await clock.note()
    assert journal.recall(NOTE) == f"{START:.0f}"
    journal.close()


CLOCKS = st.integers(0, 5 * 10**9)


@given(CLOCKS, CLOCKS, CLOCKS, st.none() | CLOCKS, CLOCKS)
def test_the_floor_sinks_by_two_witnesses_only(
    unix: int, steady: int, floor: int, told: int | None, started: int
) -> None:
    """By the vehicle's clock and the gateway's together; without the gateway nothing under the floor is believed."""
    before = Daytime(started - steady, None if told is None else told - steady, floor)
    after = believed(before, unix, steady)
    agrees = told is not None and abs(unix - told) <= MOST_STEP
    if after is None:
        assert not agrees
    elif not agrees:
        assert after.floor >= floor
        assert unix >= floor - MOST_STEP


@pytest.mark.parametrize(
    ("floor", "noted", "ends", "is_due"),
    [
        (START, 0.0, (), True),
        (START + NOTE_AFTER - 1, START, (), False),
        (START + NOTE_AFTER, START, (), True),
        (START + 9, START, (START + 9,), True),
        (START + 9, START + 9, (START + 9,), False),
        (START + 9, START, (START + 10,), False),
        (START - MOST_STEP, START, (), False),
        (START - HOUR, START, (), True),
    ],
)
def test_when_the_journal_must_learn_of_it(
    floor: float, noted: float, ends: tuple[float, ...], *, is_due: bool
) -> None:
    """From time to time, when something ended, and when the floor sank."""
    assert must_be_noted(floor, noted, ends) == is_due
