"""Where the vehicle is: known inside it, and told as a cell of eleven kilometres at most."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent import wire
from parkade_api import vss
from parkade_core.vehicle.guard import initial
from parkade_core.vehicle.position import Place, Position, coarse, distance, outward, place_of, position_of
from parkade_core.vehicle.readings import Reading

HOME = Position(52.377956, 4.897070)
WORK = Position(52.309456, 4.762283)
PLACES = (Place("home", HOME, 150), Place("work", WORK, 300), Place("street", HOME, 2000))
POSITIONS = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        (HOME, HOME, 0),
        (Position(0, 0), Position(0, 1), 111_195),
        (Position(0, 179.5), Position(0, -179.5), 111_195),
        (Position(90, 0), Position(-90, 0), 20_015_087),
        (HOME, WORK, 11_912),
    ],
)
def test_distance_is_along_the_surface(one: Position, other: Position, metres: float) -> None:
    """A degree on the equator is 111.195 km on a sphere of 6371 km; the date line is no border."""
    assert distance(one, other) == pytest.approx(metres, rel=1e-3, abs=0.1)


@pytest.mark.parametrize(
    ("position", "name"),
    [
        (HOME, "home"),
        (Position(52.3788, 4.8971), "home"),
        (Position(52.3838, 4.8971), "street"),
        (WORK, "work"),
        (Position(48.85, 2.35), None),
    ],
)
def test_a_place_is_what_lies_within_its_radius(position: Position, name: str | None) -> None:
    """Of several places the one whose middle is nearest counts; outside all there is none."""
    assert place_of(position, PLACES) == name


@given(POSITIONS)
def test_a_cell_hides_where_in_it_the_vehicle_is(position: Position) -> None:
    """The told position is near, and the same for every position of its cell: its middle's, too."""
    told = coarse(position)
    assert distance(position, told) < 12_000
    assert coarse(told) == told
    assert abs(told.latitude) <= 90
    assert abs(told.longitude) <= 180


def where(latitude: object, longitude: object, fault: str = "") -> dict[str, Reading]:
    """Readings of a position, and a speed."""
    values = {vss.LATITUDE: latitude, vss.LONGITUDE: longitude}
    told = {path: Reading(value, 2.0, fault) for path, value in values.items() if value is not None}  # type: ignore[arg-type]
    return told | {vss.SPEED: Reading(0.0, 1.0)}


def test_only_a_whole_position_is_known() -> None:
    """Half of a position, or a stale one, is none."""
    assert position_of(where(52.3, 4.7), 30) == Position(52.3, 4.7)
    assert position_of(where(52.3, None), 30) is None
    assert position_of(where(52.3, 4.7), 1) is None


@pytest.mark.parametrize(
    ("latitude", "longitude", "fault"),
    [(52.3, None, ""), ("52.377956", 4.8, ""), (95.0, 4.8, ""), (52.3, 4.8, "its clock went back by 60 s")],
)
def test_a_position_that_is_not_believed_does_not_leave(
    latitude: object, longitude: object, fault: str
) -> None:
    """What cannot be coarsened stays in the vehicle."""
    assert set(outward(where(latitude, longitude, fault))) == {vss.SPEED}


@given(POSITIONS, st.floats(0, 1e6))
def test_no_message_holds_the_true_position(position: Position, age: float) -> None:
    """Telemetry carries the middle of the cell and neither coordinate as it is."""
    readings = where(position.latitude, position.longitude) | {vss.IS_MOVING: Reading(False, age)}
    told = {signal.path: signal.number for signal in wire.telemetry(readings, initial(0)).signals}
    cell = coarse(position)
    assert (told[vss.LATITUDE], told[vss.LONGITUDE]) == (cell.latitude, cell.longitude)
    assert position == cell or Position(told[vss.LATITUDE], told[vss.LONGITUDE]) != position


def test_only_what_the_cluster_judges_by_leaves() -> None:
    """The owner's plans, what nobody asked for, and values of unknown age stay in the vehicle."""
    readings = {
        vss.SPEED: Reading(0.0, 1),
        vss.TIMER_TIME: Reading("2026-11-23T07:30:00Z", 1),
        "Vehicle.Cabin.Seat.Row1.DriverSide.IsOccupied": Reading(True, 1),
        vss.STATE_OF_CHARGE: Reading(80.0, inf),
    }
    assert set(outward(readings)) == {vss.SPEED}
