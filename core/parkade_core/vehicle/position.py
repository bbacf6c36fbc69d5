"""Where the vehicle is, for its own decisions, and how little may leave it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import asin, cos, floor, inf, radians, sin, sqrt
from typing import Final

from parkade_api import vss
from parkade_core.vehicle.readings import Reading, Readings, number, why_missing

CELL_DEGREES: Final = 0.1
"""Height of a cell of the grid in degrees of latitude: 11 km. A cell is as wide as it is high at every latitude."""
EARTH_METRES: Final = 6_371_000.0
"""Mean radius of the Earth (IUGG)."""


@dataclass(frozen=True, slots=True)
class Position:
    """WGS 84, degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """A place that the owner gave a name: everything within *radius* metres of its *middle*."""

    name: str
    middle: Position
    radius: float


def position_of(readings: Readings, stale_after: float) -> Position | None:
    """Where the vehicle is, or None when either coordinate is missing."""
    latitude = number(readings, vss.LATITUDE, stale_after)
    longitude = number(readings, vss.LONGITUDE, stale_after)
    return None if latitude is None or longitude is None else Position(latitude, longitude)


def place_of(position: Position, places: Iterable[Place]) -> str | None:
    """The name of the place that *position* is in, of several the one whose middle is nearest; None outside all."""
    near = [(distance(position, place.middle), place) for place in places]
    within = [(metres, place.name) for metres, place in near if metres <= place.radius]
    return min(within)[1] if within else None


def distance(one: Position, other: Position) -> float:
    """Metres between two positions along the surface of a sphere, by the haversine formula."""
    north = sin(radians(other.latitude - one.latitude) / 2) ** 2
    east = sin(radians(other.longitude - one.longitude) / 2) ** 2
    chord = north + cos(radians(one.latitude)) * cos(radians(other.latitude)) * east
    return 2 * EARTH_METRES * asin(min(1.0, sqrt(chord)))


def coarse(position: Position) -> Position:
    """The middle of the cell that *position* is in: every position of a cell gives the same."""
    latitude = _middle(position.latitude, CELL_DEGREES, 90.0)
    width = CELL_DEGREES / cos(radians(latitude))
    return Position(latitude, _middle(position.longitude, width, 180.0))


def outward(readings: Readings) -> dict[str, Reading]:
    """The *readings* as they may leave the vehicle: those that the cluster knows, without the owner's plans.

    The position is coarsened, or left out when it is not a whole one. A value of unknown age is left out, too.
    """
    open_paths = vss.PATHS - vss.PLANS - vss.PLACE
    told = {path: reading for path, reading in readings.items() if path in open_paths and reading.age < inf}
    if any(why_missing(readings, path, inf) for path in vss.PLACE):
        return told
    latitude, longitude = readings[vss.LATITUDE], readings[vss.LONGITUDE]
    cell = coarse(Position(float(latitude.value), float(longitude.value)))
    told[vss.LATITUDE] = replace(latitude, value=cell.latitude)
    told[vss.LONGITUDE] = replace(longitude, value=cell.longitude)
    return told


def _middle(degrees: float, width: float, most: float) -> float:
    """The middle of the stretch of about *width* that *degrees* is in; stretches from -*most* to *most* are equal."""
    stretches = max(1, floor(2 * most / width))
    step = 2 * most / stretches
    stretch = min(stretches - 1, floor((degrees + most) / step))
    return round((stretch + 0.5) * step - most, 4)
