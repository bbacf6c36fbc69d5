"""Simulated vehicles: courses are drawn by seed alone, bodies follow their formulas, recordings say what was heard."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parkade_agent.signals.scripted import Line
from parkade_api import vss
from parkade_hack.simulation.body import (
    CHARGED_TO,
    COMPUTE_RISE,
    COMPUTE_WATTS,
    STANDBY_RISE,
    STANDBY_WATTS,
    Body,
    Minute,
)
from parkade_hack.simulation.course import Course
from parkade_hack.simulation.drawing import DAY, draw
from parkade_hack.simulation.senses import Senses, recording
from support.simulated import BEGINS, FRAME, plugged_in, sources, with_course

SOURCES = sources()
STILL = Minute(outside=20.0, around=20.0, charger_kw=0.0, kwh=0.0, heat=0.0)


def test_a_seed_draws_the_same_vehicle_whenever_it_is_asked() -> None:
    """Neither the order nor the other vehicles of the fleet change a course."""
    first = draw(SOURCES, 7, 3, BEGINS, days=2)
    draw(SOURCES, 7, 4, BEGINS, days=2)
    again = draw(SOURCES, 7, 3, BEGINS, days=2)
    assert (first.name, first.charge, first.frame) == (again.name, again.charge, again.frame)
    for field in fields(Course):
        assert np.array_equal(getattr(first.course, field.name), getattr(again.course, field.name))


@pytest.mark.parametrize(("seed", "number"), [(7, 4), (8, 3)])
def test_another_seed_or_number_is_another_vehicle(seed: int, number: int) -> None:
    """Vehicles of one fleet differ, and so do fleets."""
    one, other = draw(SOURCES, 7, 3, BEGINS, days=5), draw(SOURCES, seed, number, BEGINS, days=5)
    assert not np.array_equal(one.course.plugged, other.course.plugged)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), days=st.integers(1, 9))
def test_a_course_is_one_that_a_vehicle_can_have(seed: int, days: int) -> None:
    """Nobody drives at the plug, only driving takes energy and only a plug has a charger and a plan."""
    course = draw(SOURCES, seed, 0, BEGINS, days).course
    assert len(course) == days * DAY
    assert not (course.driving & course.plugged).any()
    assert not course.speed[~course.driving].any()
    assert not course.kwh[~course.driving].any()
    assert not course.charger_kw[~course.plugged].any()
    assert (course.departure[~course.plugged] == -1).all()
    assert (course.around >= course.outside).all()


@pytest.mark.parametrize(
    ("body", "minute", "busy", "path", "after"),
    [
        (Body(50, 20, 20), STILL, 0.0, "charge", 50 - STANDBY_WATTS / 60_000 / 60 * 100),
        (Body(50, 20, 20), STILL, 1.0, "charge", 50 - (STANDBY_WATTS + COMPUTE_WATTS) / 60_000 / 60 * 100),
        (Body(50, 20, 20), STILL._replace(kwh=0.6), 0.0, "charge", 49 - STANDBY_WATTS / 60_000 / 60 * 100),
        (Body(CHARGED_TO, 20, 20), STILL._replace(charger_kw=11), 1.0, "charge", CHARGED_TO),
        (Body(50, 20, 20), STILL._replace(heat=0.5), 0.0, "battery", 20.5),
        (Body(50, 20, 20 + STANDBY_RISE), STILL, 0.0, "computer", 20 + STANDBY_RISE),
        (Body(0, 20, 20), STILL._replace(kwh=1), 0.0, "charge", 0),
    ],
)
def test_a_minute_changes_the_body_as_the_formulas_say(
    body: Body, minute: Minute, busy: float, path: str, after: float
) -> None:
    """Standby, computing and driving take energy, a full battery stays full at the plug, and nothing falls below 0."""
    assert getattr(FRAME.after(body, minute, busy), path) == pytest.approx(after)


def test_heat_settles_where_the_formulas_end() -> None:
    """After hours a busy computer is as warm as its place and all its rises together, and a charging battery warm."""
    body, minute = Body(20, 20, 20), STILL._replace(charger_kw=3.7)
    for _ in range(600):
        body = FRAME.after(body, minute, 1.0)
    assert body.computer == pytest.approx(20 + STANDBY_RISE + COMPUTE_RISE, abs=0.01)
    assert 20 < body.battery < 25


@given(charge=st.floats(0, 100), battery=st.floats(-40, 80), computer=st.floats(-40, 110))
def test_sensors_never_speak_too_well(charge: float, battery: float, computer: float) -> None:
    """Whatever a limit is asked of, the sensor is not on its better side."""
    values = Senses(plugged_in(1)).values(0, Body(charge, battery, computer))
    assert values is not None
    assert float(values[vss.STATE_OF_CHARGE]) <= charge
    assert float(values[vss.COLDEST_CELL_CELSIUS]) <= battery <= float(values[vss.HOTTEST_CELL_CELSIUS])
    assert float(values[vss.COMPUTE_CELSIUS]) >= computer


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_a_recording_says_what_the_bus_says(seed: int) -> None:
    """Its lines are the agent's own, in order, and together give every minute's signals; silence is silence."""
    subject = draw(SOURCES, seed, 0, BEGINS, days=2)
    silent = np.zeros(len(subject.course), np.bool_)
    silent[100:130] = True
    subject = with_course(subject, is_silent=silent)
    senses, bodies = Senses(subject), list(subject.at_rest())
    lines = {line.at: line for line in map(Line.model_validate_json, recording(senses, enumerate(bodies)))}
    told: dict[str, object] = {}
    for minute, body in enumerate(bodies):
        line = lines.get(minute * 60.0, Line(at=minute * 60.0))
        told = {path: value for path, value in told.items() if path not in line.silent} | line.signals
        assert told == (senses.values(minute, body) or {})
    assert len(lines) < len(bodies)
