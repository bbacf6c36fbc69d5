"""What the vehicle's signals say: the newest value of each VSS path, its age, and why it is not believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from parkade_core.vehicle.plausible import Value, name_of, why_impossible

__all__ = [
    "Reading",
    "Readings",
    "Value",
    "flag",
    "freshest_age",
    "number",
    "stale_at",
    "text",
    "why_missing",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of one VSS path.

    `age` is in seconds, at the moment of the decision, on the vehicle's own clock; it is infinite for a value of which
    nobody knows how old it is. `fault` is why the source does not believe the value; empty when it does.
    """

    value: Value
    age: float
    fault: str = ""


Readings = Mapping[str, Reading]


def flag(readings: Readings, path: str, stale_after: float) -> bool | None:
    """The truth value of *path*, or None: `why_missing` says why."""
    value = _usable(readings, path, stale_after)
    return value if isinstance(value, bool) else None


def number(readings: Readings, path: str, stale_after: float) -> float | None:
    """The number at *path*, or None: `why_missing` says why."""
    value = _usable(readings, path, stale_after)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(readings: Readings, path: str, stale_after: float) -> str | None:
    """The text at *path*, or None: `why_missing` says why."""
    value = _usable(readings, path, stale_after)
    return value if isinstance(value, str) else None


def why_missing(readings: Readings, path: str, stale_after: float) -> str:
    """Why *path* counts as missing, as a sentence; empty when its value may be used."""
    reading, name = readings.get(path), name_of(path)
    if reading is None:
        return f"no {name} is heard"
    if reading.fault:
        return f"{name} is not believed: {reading.fault}"
    if impossible := why_impossible(path, reading.value):
        return impossible
    if reading.age < stale_after:
        return ""
    if reading.age == inf:
        return f"{name} was not heard yet, only what it once was"
    return f"{name} was not heard for {stale_after:g} s"


def freshest_age(readings: Readings) -> float | None:
    """Age of the newest reading in seconds, or None without any."""
    return min((reading.age for reading in readings.values()), default=None)


def stale_at(readings: Readings, paths: Iterable[str], stale_after: float, now: float) -> float | None:
    """When the first of those *paths* that are still fresh becomes stale, or None when none is fresh."""
    ages = [readings[path].age for path in paths if path in readings]
    return min((now + stale_after - age for age in ages if age < stale_after), default=None)


def _usable(readings: Readings, path: str, stale_after: float) -> Value | None:
    return None if why_missing(readings, path, stale_after) else readings[path].value
